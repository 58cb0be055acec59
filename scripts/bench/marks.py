"""What is said under load: texts of one size, each with a mark that tells whose it is and its number.

    ~~~~~~~~003:00000123 pitego nelu ro …

The eight tildes are what receivers count: a search for a run that occurs once a message looks at every ninth byte
or so, and never makes an object. The mark has a fixed width, so a message can be made by one `%` and its frame has
the same size whatever its number. One receiver of each run keeps every mark it sees, and judges them after the window:
each sender's numbers must be there once each, in order. Messages that only wake up the connections have carets, and
nobody counts them.
"""

import random
import re

MARK = b"~~~~~~~~"
WARM = b"^" * len(MARK)
WIDTH = 12  # bytes of `003:00000123`
EXACT = re.compile(MARK + rb"(\d{3}:\d{8})")
SIZE = 64  # bytes of a text
TEXTS = 256  # different texts, so that what indexes them has work to do
_SYLLABLES = ["ba", "de", "fi", "go", "lu", "ma", "ne", "pi", "ro", "su", "ta", "ve"]


def texts(size: int) -> list[bytes]:
    """Return texts of `size` bytes, made of words; the same in each run."""
    chance = random.Random(1)
    words = ["".join(chance.choices(_SYLLABLES, k=chance.randint(1, 4))) for _ in range(2_000)]
    return [" ".join(chance.choices(words, k=size)).encode()[:size] for _ in range(TEXTS)]


def shapes(sender: int, size: int = SIZE) -> list[bytes]:
    """Return the texts of one sender, whose numbers are still to be filled in by `%`."""
    mark = MARK + b"%03d:" % sender
    return [mark + b"%08d " + text for text in texts(size - len(MARK) - WIDTH - 1)]


def warm_text(size: int = SIZE) -> bytes:
    """Return a text that nobody counts, of the same size."""
    return WARM + b"." * (size - len(WARM))


def judge(seen: bytes) -> dict[int, int]:
    """Return how many messages came from each sender; of one whose order was wrong, -1.

    `seen` is what an exact receiver kept: marks of `WIDTH` bytes, one after the other.
    """
    last: dict[int, int] = {}
    for start in range(0, len(seen), WIDTH):
        sender, number = int(seen[start : start + 3]), int(seen[start + 4 : start + WIDTH])
        if last.get(sender, 0) >= 0:
            last[sender] = number if number == last.get(sender, 0) + 1 else -1
    return last
