"""What a nick and a room may be called.

A name is prepared once, where it enters, by the PRECIS profiles that were made for it, and compared in its
prepared form ever after. A nick has two forms: the one that is shown (`Alice`) and the one that is compared
(`alice`), so that nobody can pass for somebody else by case or width. A room has only one: `Dev` is `dev`.
"""

from functools import lru_cache

from precis_i18n import get_profile

NICK_MAX = 32  # code points: what a prompt can show beside a message
ROOM_MAX = 64  # code points

# What a shell acts on: nicks end up in scripts. An apostrophe alone runs nothing, and belongs to people's names.
_SHELL = frozenset('$`\\";&|<>(){}[]*?')
_SIGNS = "-#@!%+~"  # a nick that begins with one would pass for an option, a room, a nick, a command, a folder
_BLANK = frozenset("\u2800\u3164\uffa0\u115f\u1160")  # letters and symbols of which nothing is seen

_SHOWN = get_profile("NicknameCasePreserved")
_COMPARED = get_profile("NicknameCaseMapped")
_ROOM = get_profile("UsernameCaseMapped")


class BadNameError(ValueError):
    """A name that cannot be used; its text tells a person why."""


@lru_cache(maxsize=16_384)  # bounded, and names in length: they come from peers
def nick(name: str) -> str:
    """Return `name` as it is shown, or raise BadNameError (RFC 8266, Nickname, case preserved)."""
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
    """Refuse a nick that a script would take for something else, or that cannot be seen."""
    if shown[0] in _SIGNS:
        raise BadNameError(f"a nick does not begin with {shown[0]}")
    if found := sorted(_SHELL.intersection(shown)):
        raise BadNameError(f"a nick has no {' '.join(found)} in it: a shell would act on that")
    if _BLANK.intersection(shown):
        raise BadNameError("a nick has no character in it that cannot be seen")


@lru_cache(maxsize=16_384)
def nick_key(name: str) -> str:
    """Return the form in which two nicks are compared (RFC 8266, section 2.4), or raise BadNameError."""
    _bound(name, "nick", NICK_MAX)
    try:
        key: str = _COMPARED.enforce(name)
    except UnicodeError as error:
        raise BadNameError(f"this is no nick: {_why(error)}") from None
    return key


@lru_cache(maxsize=16_384)
def room(name: str) -> str:
    """Return `name` as every topic and reply carries it, or raise BadNameError (RFC 8265, UsernameCaseMapped)."""
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
    return prepared


def typed_room(name: str) -> str:
    """Return the room that somebody means, who may write `#dev` for `dev`; raises as `room`."""
    return room(name.removeprefix("#"))


def _bound(name: str, what: str, most: int, slack: int = 4) -> None:
    """Refuse a long name; before preparing it (which may shorten it) with some slack, to spare the work."""
    if len(name) > most * slack:
        raise BadNameError(f"the name of a {what} has at most {most} characters, this one {len(name)}")


def _why(error: UnicodeError) -> str:
    """Say what PRECIS found, for a person: its reasons look like `DISALLOWED/controls`."""
    reason = str(error.args[-1])
    if reason.endswith("empty"):
        return "it is empty"
    if isinstance(error, UnicodeEncodeError) and error.start < len(error.object):
        return f"it has {error.object[error.start]!a} in it ({reason.rsplit('/', 1)[-1].replace('_', ' ')})"
    return f"it has a character of the kind {reason}"
