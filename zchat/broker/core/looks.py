"""Which nicks look alike: skeletons by Unicode TS 39, computed from the table of `confusable_homoglyphs`.

Two nicks with a skeleton in common can be mistaken for each other: `alice`, and one whose first letter is Cyrillic.
"""

from functools import cache
from importlib import resources
from unicodedata import category, name, normalize

from msgspec import Struct, json

from zchat.protocol import names

_MARK = "\u200e"  # surrounds right-to-left letters in the table, to keep it readable
_JOINERS = dict.fromkeys((0x200C, 0x200D), "")  # the invisible characters that PRECIS allows in a nick


class _Like(Struct, gc=False):
    """A character, or several, that the table lists as similar to another. Their names are not read."""

    c: str


def looks(nick: str) -> set[str]:
    """Return the skeletons of a nick: that of the compared form, and that of the shown form, in lower case.

    The first one catches capitals that only resemble another capital (Cyrillic `І`, as in `Іvan`, through its small
    letter). The second one catches capitals whose small letter has another shape (Cyrillic `В`).
    """
    return {_skeleton(names.nick_key(nick)), _skeleton(nick).lower()}


def _skeleton(text: str) -> str:
    plain = normalize("NFD", text)
    if not plain.isascii():
        plain = _without_strange_marks(plain)
    return normalize("NFD", plain.translate(_prototypes()))


def _without_strange_marks(text: str) -> str:
    """Return a text without the marks that belong to another script than the letter that they follow.

    No font joins them, so most terminals show nothing of them: `al`, a filler of Khitan and `ice` look like `alice`.
    The names of characters begin with their scripts; the marks of all scripts are called COMBINING.
    """
    kept, script = [], ""
    for character in text:
        own = name(character, "").partition(" ")[0]
        if not category(character).startswith("M"):
            script = own
        elif own not in ("COMBINING", script):
            continue
        kept.append(character)
    return "".join(kept)


@cache  # computed for the first nick: 17 ms once, and 1 MB that only a broker needs
def _prototypes() -> dict[int, str]:
    """Map each character that resembles others to the one that represents all of them."""
    table = resources.files("confusable_homoglyphs").joinpath("confusables.json").read_bytes()
    found = json.decode(table, type=dict[str, list[_Like]])
    like = {one.strip(_MARK): [other.c.strip(_MARK) for other in others] for one, others in found.items()}
    # A character that resembles only one other resembles the prototype. Of two that resemble only each other, either is
    # good as one.
    lone = {one: others[0] for one, others in like.items() if len(one) == len(others) == 1}
    stands = {ord(one): other for one, other in lone.items() if lone.get(other) != one or other < one} | _JOINERS
    return {one: normalize("NFD", normalize("NFD", other).translate(stands)) for one, other in stands.items()}
