"""What the page is told of an error: a sentence, without options that mean nothing there; over HTTP with a status."""

from starlette.responses import JSONResponse

from zchat.errors import NickTakenError, RefusedError, StorageError, ZchatError

from .guard import refused

STATUS = {"too_long": 413, "no_space": 507, "bad_file": 404, "rate_limited": 429, "unavailable": 503}  # else 403
RETRY = 10  # seconds after which who was told to wait may try again


def sentence(error: ZchatError) -> str:
    """Return what went wrong, and what to do about it."""
    if isinstance(error, NickTakenError):
        told = f"{error.message or f'the nick {error.nick} is taken'}. Choose another"
    elif type(error) is RefusedError:
        told = error.plain
    else:  # it makes its own sentence
        return str(error)
    return f"{told[:1].upper()}{told[1:]}".rstrip(".") + "."


def failed(error: ZchatError) -> JSONResponse:
    """Return the answer to a request that ended so."""
    match error:
        case RefusedError(code=code):
            answer = refused(code, sentence(error), STATUS.get(code, 403))
        case StorageError():
            answer = refused("internal", sentence(error), 507)
        case _:  # the broker is away
            answer = refused("unavailable", sentence(error), 503)
    if answer.status_code == STATUS["rate_limited"]:
        answer.headers["retry-after"] = str(RETRY)
    return answer
