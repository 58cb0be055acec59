"""Which delivery it is: the key under which the broker stores it once, however often its sender tries.

A key counts for one hook, so that a sender may give the same one to two. Alertmanager, Grafana and Uptime Kuma tell
nothing by which a second try could be told from a reminder: an alert that lasts is posted again with the very same
body. They get no key, and what they try again may be said twice, which is better than a reminder that is not said.
"""

import hashlib
from collections.abc import Mapping

# the same for each try of a delivery, and for no other
NAMED = (
    "idempotency-key",  # also GitLab, since 17.4
    "webhook-id",
    "x-gitea-delivery",
    "x-forgejo-delivery",
    "x-github-delivery",
)
# the same for each try, but perhaps also for another delivery: GitLab gives one to all that follows from an event
RELATED = ("x-gitlab-event-uuid",)
RESOURCE, REQUEST = "sentry-hook-resource", "request-id"


def key(hook: str, headers: Mapping[str, str], body: bytes) -> str | None:
    """Return the key of a delivery to a hook; None where its sender tells nothing of the kind."""
    for name in NAMED:
        if given := headers.get(name):
            return _digest(hook, name, given.encode())
    for name in RELATED:
        if given := headers.get(name):
            return _digest(hook, name, given.encode(), body)
    if RESOURCE in headers and (given := headers.get(REQUEST)):
        return _digest(hook, REQUEST, given.encode())
    return None


def _digest(hook: str, name: str, *values: bytes) -> str:
    found = hashlib.sha256(f"{hook}\n{name}\n".encode())
    for value in values:
        found.update(hashlib.sha256(value).digest())
    return f"hook-{found.hexdigest()[:40]}"
