"""What the page tells of an error: a sentence without the protocol's code and options, which mean nothing there."""

from zchat.errors import NickTakenError, RefusedError, ZchatError


def sentence(error: ZchatError) -> str:
    """Return what went wrong, and what to do about it."""
    if isinstance(error, NickTakenError):
        told = f"{error.message or f'the nick {error.nick} is taken'}. Choose another"
    elif type(error) is RefusedError:
        told = error.plain
    else:  # it makes its own sentence
        return str(error)
    return f"{told[:1].upper()}{told[1:]}".rstrip(".") + "."
