"""Which nicks and room names are valid, and their prepared forms.

A name is prepared once, where it enters the program, by a PRECIS profile. From then on only the prepared form is used.
A nick has two forms: one that is shown (`Alice`) and one that is compared (`alice`). So nobody can impersonate somebody
else by case or width. A room name has one form only: `Dev` becomes `dev`.
"""

from functools import lru_cache

from precis_i18n import get_profile

NICK_MAX = 32  # code points: what a prompt can show beside a message
ROOM_MAX = 64  # code points
PRIVATE = "+"  # begins the name of every private room, and of no other

# Characters that a shell acts on: nicks end up in scripts. An apostrophe runs nothing, and occurs in people's names.
_SHELL = frozenset('$`\\";&|<>(){}[]*?')
_SIGNS = "-#@!%+~"  # at the start of a nick they would look like an option, a room, a nick, a command, a folder
_BLANK = frozenset("\u2800\u3164\uffa0\u115f\u1160")  # letters and symbols that are invisible

_SHOWN = get_profile("NicknameCasePreserved")
_COMPARED = get_profile("NicknameCaseMapped")
_ROOM = get_profile("UsernameCaseMapped")


class BadNameError(ValueError):
    """The name is not valid; the exception's text tells a person why."""


@lru_cache(maxsize=16_384)  # bounded, as are the names' lengths: they come from peers
def nick(name: str) -> str:
    """Return the form of a nick that is shown, or raise BadNameError (RFC 8266, Nickname, case preserved)."""
    _bound(name, "nick", NICK_MAX)
    if any(character.isspace() for character in name):
        raise BadNameError("a nick has no white space: try a dash or an underscore")
    if "/" in name:
        raise BadNameError("a nick has no slash")
    try:
        shown: str = _SHOWN.enforce(name)
        nick_key(shown)
    except UnicodeError as error:
        raise BadNameError(f"this is no nick: {_why(error)}") from None
    _bound(shown, "nick", NICK_MAX, 1)
    if "/" in shown or any(character.isspace() for character in shown):
        raise BadNameError("a nick has no slash and no white space, also in disguise")
    _harmless(shown)
    return shown


def _harmless(shown: str) -> None:
    """Reject a nick that a script would misread, or that has invisible characters."""
    if shown[0] in _SIGNS:
        raise BadNameError(f"a nick does not begin with {shown[0]}")
    if found := sorted(_SHELL.intersection(shown)):
        raise BadNameError(f"a nick has no {' '.join(found)} in it: a shell would act on that")
    if _BLANK.intersection(shown):
        raise BadNameError("a nick has no character in it that cannot be seen")


@lru_cache(maxsize=16_384)
def nick_key(name: str) -> str:
    """Return the form of a nick that is compared (RFC 8266, section 2.4), or raise BadNameError."""
    _bound(name, "nick", NICK_MAX)
    try:
        key: str = _COMPARED.enforce(name)
    except UnicodeError as error:
        raise BadNameError(f"this is no nick: {_why(error)}") from None
    return key


@lru_cache(maxsize=16_384)
def room(name: str) -> str:
    """Return the prepared form of a room name, or raise BadNameError (RFC 8265, UsernameCaseMapped)."""
    _bound(name, "room", ROOM_MAX)
    if "/" in name:
        raise BadNameError("a room's name has no slash")
    try:
        prepared: str = _ROOM.enforce(name)
    except UnicodeError as error:
        raise BadNameError(f"this is no room's name: {_why(error)}") from None
    _bound(prepared, "room", ROOM_MAX, 1)
    if "/" in prepared:
        raise BadNameError("a room's name has no slash, also in disguise")
    if prepared.startswith("@"):
        raise BadNameError("a room's name does not begin with @: that is how a conversation with somebody is called")
    if prepared == PRIVATE:
        raise BadNameError("a private room has a name behind the +")
    return prepared


def is_private(room: str) -> bool:
    """Return whether a prepared room name is that of a private room."""
    return room.startswith(PRIVATE)


def typed_room(name: str) -> str:
    """Prepare a room name that a person typed: `#dev` means `dev`. Raises BadNameError."""
    return room(name.removeprefix("#"))


def _bound(name: str, what: str, most: int, slack: int = 4) -> None:
    """Reject a name that is too long. `slack` is for names before preparation, which may shorten them."""
    if len(name) > most * slack:
        raise BadNameError(f"the name of a {what} has at most {most} characters, this one {len(name)}")


def _why(error: UnicodeError) -> str:
    """Translate a PRECIS error, such as `DISALLOWED/controls`, into words for a person."""
    reason = str(error.args[-1])
    if reason.endswith("empty"):
        return "it is empty"
    if isinstance(error, UnicodeEncodeError) and error.start < len(error.object):
        return f"it has {error.object[error.start]!a} in it ({reason.rsplit('/', 1)[-1].replace('_', ' ')})"
    return f"it has a character of the kind {reason}"
