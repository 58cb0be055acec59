"""`:tada:` becomes 🎉 in what somebody says or edits at the page, as they know it from elsewhere; in code it stays.

It is done where it is said, not where it is shown: so all see the same, also at a terminal and in IRC. Pure.
"""

import re

# What is code comes first, and is passed over: between runs of backticks that are as long, in a fence that stays open,
# in indented lines; and so are addresses. A name has no letter or slash beside it (10:30:45), and no backslash before.
_PIECES = re.compile(
    r"(?<!`)(`++).*?(?<!`)\1(?!`)"
    r"|^\ {0,3}(?:```|~~~).*\Z"
    r"|^(?:\ {4}|\t)[^\n]*"
    r"|\b\w++://\S*"
    r"|(?<![\w\\:/])(?P<names>(?::[a-z0-9_+-]{1,64}:)+)(?![\w:/])",
    re.DOTALL | re.MULTILINE | re.IGNORECASE,
)


def with_emoji(text: str) -> str:
    """Return a text with emoji in place of their names."""
    return _PIECES.sub(_piece, text) if text.count(":") > 1 else text


def _piece(found: re.Match[str]) -> str:
    if found["names"] is None:
        return found[0]
    from emoji import emojize  # noqa: PLC0415 — a large table, and few messages need it

    made = emojize(found[0].casefold(), language="alias")
    return found[0] if made == found[0].casefold() else made
