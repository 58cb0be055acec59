"""What a nick looks like at a glance: its skeletons by Unicode TS 39, from the table of `confusable_homoglyphs`.

Two nicks with a skeleton in common can be taken for each other: `alice` and one whose first letter is Cyrillic.
"""

from functools import cache
from importlib import resources
from unicodedata import normalize

from msgspec import Struct, json

from zchat.protocol import names

_MARK = "\u200e"  # stands around a letter that is written from right to left, so that the table can be read
_JOINERS = dict.fromkeys((0x200C, 0x200D), "")  # the invisible characters that PRECIS lets into a nick


class _Like(Struct, gc=False):
    """A character, or several, that the table has beside one; their names are left out."""

    c: str


def looks(nick: str) -> set[str]:
    """Return the skeletons of a nick: of the form that is compared, and of the one that is shown, without its case.

    The first finds a capital that resembles only another capital (Cyrillic `І`, as in `Іvan`, by its small letter), the
    second one whose small letter has another shape (Cyrillic `В`).
    """
    return {_skeleton(names.nick_key(nick)), _skeleton(nick).lower()}


def _skeleton(text: str) -> str:
    return normalize("NFD", normalize("NFD", text).translate(_prototypes()))


@cache  # made for the first nick: 17 ms once, and 1 MB that only a broker needs
def _prototypes() -> dict[int, str]:
    """Return for each character that resembles others the one that stands for all of them."""
    table = resources.files("confusable_homoglyphs").joinpath("confusables.json").read_bytes()
    found = json.decode(table, type=dict[str, list[_Like]])
    like = {one.strip(_MARK): [other.c.strip(_MARK) for other in others] for one, others in found.items()}
    # Who resembles only one, resembles the prototype; of two that resemble only each other, either will do.
    lone = {one: others[0] for one, others in like.items() if len(one) == len(others) == 1}
    stands = {ord(one): other for one, other in lone.items() if lone.get(other) != one or other < one} | _JOINERS
    return {one: normalize("NFD", normalize("NFD", other).translate(stands)) for one, other in stands.items()}
