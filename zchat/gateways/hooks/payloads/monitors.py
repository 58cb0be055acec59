"""Programs that watch others: Sentry, Uptime Kuma, Healthchecks.

Sentry: https://docs.sentry.io/integrations/integration-platform/webhooks/ (the event is the header
Sentry-Hook-Resource). Uptime Kuma posts `{heartbeat, monitor, msg}`. Healthchecks posts what one writes into the form
of its webhook: `$JSON` there is a check as its API describes it.
"""

import re
from collections.abc import Callable

from .sentences import SOMEBODY, Said, sentence, titled
from .value import Value

ISSUE = {
    "created": "new", "resolved": "resolved", "unresolved": "back again:", "assigned": "assigned",
    "archived": "archived", "ignored": "archived",
}  # fmt: skip
_API = re.compile(r"(https?://[^\s/]+(?:/[^\s/]+)*)/api/v\d+/checks/([0-9a-f-]{36})")


def sentry(event: str, body: Value) -> Said | str | None:
    """Return what an event of Sentry says."""
    if known := SENTRY.get(event):
        return known(body)
    return sentence("Sentry", f"{_actor(body)}:", event.replace("_", " "), body.name("action"))


def _issue(body: Value) -> str:
    issue, action = body.at("data", "issue"), body.name("action")
    who = "" if action in ("created", "unresolved") else _actor(body)
    what = sentence("", who, ISSUE.get(action, action), issue.name("shortId"))
    place = issue.name("project", "slug") or "Sentry"
    return sentence(place, titled(what, issue.line("title")), link=issue.link("web_url") or issue.link("permalink"))


def _event_alert(body: Value) -> str:
    return _problem(body.at("data", "event"), f"ALERT {body.line('data', 'triggered_rule')}".strip())


def _error(body: Value) -> str:
    return _problem(body.at("data", "error"), "error")


def _problem(found: Value, what: str) -> str:
    culprit = found.line("culprit")
    where = f"in {culprit}" if culprit else ""
    return sentence("Sentry", titled(what, found.line("title")), where, link=found.link("web_url"))


def _metric_alert(body: Value) -> str:
    data = body.at("data")
    what = titled(data.line("description_title"), data.line("description_text"))
    return sentence("Sentry", what or f"metric alert {body.name('action')}", link=data.link("web_url"))


def _activity_alert(body: Value) -> str:
    issue, did = body.at("data", "issue"), body.name("data", "activity", "type").replace("_", " ")
    what = titled(f"ALERT {body.line('data', 'alert', 'title')}".strip(), sentence("", did, issue.name("shortId")))
    return sentence(
        issue.name("project", "slug") or "Sentry", titled(what, issue.line("title")), link=issue.link("web_url")
    )


def _comment(body: Value) -> str:
    data = body.at("data")
    what = titled(f"{body.name('action')} a comment on issue {data.name('issue_id')}", data.line("comment"))
    return sentence(data.name("project_slug") or "Sentry", _actor(body), what)


def _actor(body: Value) -> str:
    return body.name("actor", "name") or SOMEBODY


SENTRY: dict[str, Callable[[Value], str]] = {
    "issue": _issue,
    "event_alert": _event_alert,
    "metric_alert": _metric_alert,
    "activity_alert": _activity_alert,
    "error": _error,
    "comment": _comment,
}


def uptime_kuma(_event: str, body: Value) -> Said | str | None:
    """Return what Uptime Kuma says: its own words, and the address that it watches."""
    said = body.line("msg", limit=1_000)
    if not said:
        state = {0: "down", 1: "up", 2: "pending", 3: "under maintenance"}.get(body.number("heartbeat", "status") or 0)
        said = titled(f"{body.name('monitor', 'name')} is {state}", body.line("heartbeat", "msg"))
    link = body.link("monitor", "url")
    return sentence("", said, link="" if link in said else link)


def healthchecks(_event: str, body: Value) -> Said | str | None:
    """Return how a check is; the link leads to its page."""
    name, status = body.name("name") or body.name("slug") or "a check", body.name("status")
    found = _API.match(body.link("update_url"))
    link = f"{found[1]}/checks/{found[2]}/details/" if found else ""
    last = body.name("last_ping")
    when = f"(last ping {last})" if last and status == "down" else ""
    return sentence("", f"{name} is {status.upper()}", when, link=link)
