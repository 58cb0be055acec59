"""The names of emoji, as people know them from elsewhere: `:+1:`, `:tada:`, `:heart:`. Pure."""

import difflib
from collections.abc import Iterator
from functools import cache

_FLAGS = frozenset(map(chr, range(0x1F1E6, 0x1F200)))  # the letters that flags of countries are made of
SIMILAR = 0.6  # how much of a name has to agree with another one for a hint


@cache
def by_name() -> dict[str, str]:
    """Return each emoji by its names, in small letters and without colons: the short names first, flags last."""
    from emoji import EMOJI_DATA, STATUS  # noqa: PLC0415 — a large table, and few lines need it

    usual = {emoji: known for emoji, known in EMOJI_DATA.items() if known["status"] == STATUS["fully_qualified"]}
    found = {known["en"]: emoji for emoji, known in usual.items()}
    found |= {name: emoji for emoji, known in usual.items() for name in known.get("alias", ())}  # as elsewhere: 😎 for
    names = {name.strip(":").casefold(): emoji for name, emoji in found.items()}  # :sunglasses:, and not 🕶️
    return dict(sorted(names.items(), key=lambda one: (one[1][0] in _FLAGS, len(one[0]), one[0])))


def named(text: str) -> str:
    """Return the emoji that is meant: by its name, with or without colons, or by itself. Raises ValueError."""
    from emoji import EMOJI_DATA, STATUS, demojize, emojize  # noqa: PLC0415

    if text in EMOJI_DATA:  # a ❤ that is typed as a sign is the ❤️ that others give
        return text if EMOJI_DATA[text]["status"] == STATUS["fully_qualified"] else emojize(demojize(text))
    name = text.strip(":").casefold()
    found = by_name().get(name)
    if found is None:
        near = difflib.get_close_matches(name, by_name(), 1, SIMILAR)
        hint = f" Did you mean :{near[0]}:?" if near else ""
        raise ValueError(f"{text!r} is no emoji, and no name of one.{hint}")
    return found


def names() -> Iterator[tuple[str, str]]:
    """Yield the names of all emoji with their colons, and the emoji of each."""
    for name, emoji in by_name().items():
        yield f":{name}:", emoji
