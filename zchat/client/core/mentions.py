"""Whether a text calls somebody: by their nick as a whole word, in any case, with or without an `@`.

A nick within an address, a path or a longer name is not called. The prompt, the page and agents judge by this alike.
"""

import functools
import re
from collections.abc import Iterable


def calling(words: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern that finds these words, one at least, where a text calls them."""
    return re.compile(rf"(?<![\w@/.-])@?(?:{'|'.join(map(re.escape, words))})(?![-.]?\w)", re.IGNORECASE)


def mentions(text: str, nick: str) -> bool:
    """Say whether a text calls the one who has this nick; nobody calls one without."""
    return bool(nick) and _pattern(nick).search(text) is not None


@functools.lru_cache(maxsize=4_096)
def _pattern(nick: str) -> re.Pattern[str]:
    return calling([nick])
