"""From what was posted to what is said: a table of senders, each with a small pure function.

A hook is for one kind of sender, or finds out by itself (`auto`): by a header that only this sender sets, else by the
fields of the body. Whatever the body is, the answer is a text of at most the given bytes, nothing to say (None), or
`UnreadableError` with a sentence. No other exception comes out of here.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from . import alerts, forms, gitea, github, gitlab, monitors, slack
from .forms import UnreadableError as UnreadableError
from .sentences import Read, Said
from .value import Value, clean, cut_bytes

AUTO, TEXT = "auto", "text"
FORM, PARTS, JSON = "application/x-www-form-urlencoded", "multipart/form-data", "application/json"

Headers = Mapping[str, str]  # names in lower case


class Sender(NamedTuple):
    """One kind of sender: what it says, the headers that tell the event, and how its body is recognised."""

    read: Read
    headers: tuple[str, ...] = ()
    fits: Callable[[Value], bool] = lambda _: False


def _having(*names: str) -> Callable[[Value], bool]:
    return lambda body: body.has(*names)


SLACKS_OWN = ("blocks", "attachments", "icon_emoji", "icon_url", "mrkdwn", "channel")

SENDERS = {  # in the order in which they are recognised: Gitea and Forgejo send GitHub's headers, too
    "gitea": Sender(gitea.read, ("x-gitea-event", "x-forgejo-event")),
    "github": Sender(github.read, ("x-github-event",)),
    "gitlab": Sender(gitlab.read, ("x-gitlab-event",)),
    "sentry": Sender(monitors.sentry, ("sentry-hook-resource",)),
    "grafana": Sender(alerts.grafana, fits=lambda body: body.has("alerts", "orgId") or body.has("ruleName", "state")),
    "alertmanager": Sender(alerts.alertmanager, fits=_having("alerts", "groupKey")),
    "uptime-kuma": Sender(monitors.uptime_kuma, fits=_having("heartbeat", "monitor", "msg")),
    "healthchecks": Sender(monitors.healthchecks, fits=_having("status", "n_pings")),
    "zchat": Sender(slack.zchat, fits=_having("type", "nick", "text", "seq")),
    "slack": Sender(slack.read, fits=lambda body: any(map(body.has, SLACKS_OWN))),
    "json": Sender(slack.plain, fits=_having("text")),
}
KINDS = (AUTO, TEXT, *SENDERS)


def read(kind: str, headers: Headers, body: bytes, limit: int) -> str | None:
    """Return what a body says, in at most `limit` bytes; None: nothing. Raises UnreadableError."""
    said = _said(kind, headers, body)
    if said is None:
        return None
    said = Said(said) if isinstance(said, str) else said
    text = said.text.strip("\n ")
    if not text.strip():
        raise UnreadableError("There is nothing to say in it: the text is empty.")
    return cut_bytes(f"{said.by}: {text}" if said.by else text, limit)


def sole(headers: Headers, body: bytes) -> bytes | None:
    """Return what a form holds whose only field is `payload`; None for anything else."""
    if _content(headers) != FORM or not body.startswith(forms.PAYLOAD) or b"&" in body:
        return None
    try:
        return forms.encoded(body)
    except UnreadableError:
        return None


def _said(kind: str, headers: Headers, body: bytes) -> Said | str | None:
    content, raw = _content(headers), body
    if content == FORM:
        raw = forms.encoded(body)
    elif content == PARTS:
        raw = forms.of_parts(headers["content-type"], body)
    found = None if kind == TEXT else _object(raw)
    if found is None:
        if kind not in (AUTO, TEXT) or (kind == AUTO and (content == JSON or raw is not body)):
            told = "its Content-Type says so" if kind == AUTO and content == JSON else "this hook takes nothing else"
            raise UnreadableError(f"It is no JSON object, though {told}.")
        if b"\0" in body:
            raise UnreadableError("It is no text: it has bytes that no text has, as programs and pictures do.")
        return clean(body.decode(errors="replace"))
    sender = SENDERS[_recognised(headers, found) if kind == AUTO else kind]
    event = next((headers[name] for name in sender.headers if name in headers), "")
    return sender.read(Value(event).name(), found)


def _content(headers: Headers) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _recognised(headers: Headers, body: Value) -> str:
    for name, sender in SENDERS.items():
        if any(header in headers for header in sender.headers) or sender.fits(body):
            return name
    raise UnreadableError(
        'It is JSON of a kind that is not known here: it has no "text". See the list of senders in the documentation '
        "of gateways, or post plain text."
    )


def _object(raw: bytes) -> Value | None:
    """Return a JSON object; None for what is none."""
    if not raw.lstrip(b" \t\r\n\xef\xbb\xbf").startswith(b"{"):
        return None
    try:
        found: Any = json.loads(raw.decode("utf-8-sig", errors="replace"))
    except (ValueError, RecursionError):
        return None
    return Value(found)
