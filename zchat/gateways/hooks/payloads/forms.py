"""Forms, in the two ways in which programs send them: what is in their fields is read like the JSON that it stands for.

A field `payload` (GitHub, programs for Slack) or `data` (Uptime Kuma) may hold the object that others send as it is.
Any other form of several parts is an object of its fields, so `curl -F text=done` says `done`. Files in it are left
out: there is nobody to whom they could belong. What `curl -d` sends calls itself a form as well, and is a text.
"""

import json
from urllib.parse import parse_qs

from zchat.errors import ZchatError

WHOLE = ("payload", "data")  # fields that may hold all of it
PAYLOAD = b"payload="  # how the form begins that GitHub and Gitea post
FIELDS_MAX = 100
CANNOT = "It is a form that cannot be read."
NO_FIELD = (
    "It is a form without a field of text. What is to be said is its field `text`, as in curl -F text=done; files are "
    "not taken."
)


class UnreadableError(ZchatError):
    """What was posted cannot be read; the sentence is for who set up the sender."""


def encoded(body: bytes) -> bytes:
    """Return the field `payload` of what calls itself a form; else all of it. Raises UnreadableError."""
    if not body.startswith(PAYLOAD):
        return body
    try:
        return parse_qs(body.decode(), max_num_fields=10).get("payload", [""])[0].encode(errors="surrogatepass")
    except ValueError:  # also what is no UTF-8
        raise UnreadableError(CANNOT) from None


def of_parts(content_type: str, body: bytes) -> bytes:
    """Return a form of several parts as JSON. Raises UnreadableError."""
    fields = _fields(content_type, body)
    if not fields:
        raise UnreadableError(NO_FIELD)
    whole = (fields[name] for name in WHOLE if fields.get(name, "").lstrip().startswith("{"))
    return next(whole, json.dumps(fields)).encode(errors="replace")


def _fields(content_type: str, body: bytes) -> dict[str, str]:
    from python_multipart import FormParser  # noqa: PLC0415 — an extra
    from python_multipart.multipart import Field, parse_options_header  # noqa: PLC0415 — as above

    found: dict[str, str] = {}

    def take(field: Field) -> None:
        if len(found) == FIELDS_MAX:
            raise ValueError("too many fields")
        found[(field.field_name or b"").decode(errors="replace")] = (field.value or b"").decode(errors="replace")

    _, options = parse_options_header(content_type)
    try:
        parser = FormParser("multipart/form-data", take, lambda _: None, boundary=options.get(b"boundary"))
        parser.write(body)
        parser.finalize()
        parser.close()
    except ValueError:  # all that the library raises
        raise UnreadableError(CANNOT) from None
    return found
