"""Who sent it: each sender's way to show that it knows the secret of a hook.

Whoever knows the address of a hook can post to it. With a secret beside it, an address that leaked is worth nothing. A
secret is given once, and whichever way is used, it proves the same: an HMAC of the body under it, or the secret itself.
So a hook does not say which way it expects. All comparisons take the same time, wherever two texts differ.

What a form holds is signed in two ways: GitHub signs the body, Gitea and Forgejo sign the JSON that is in it. Either
counts, for only who knows the secret can make it. But the JSON has to be all of the form (`payloads.sole`): nothing
beside it is signed.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping

from . import payloads

Headers = Mapping[str, str]  # names in lower case
Proof = Callable[[bytes, str, Headers, bytes], bool]  # of the secret, the header's value, all headers, the body

STANDARD = "whsec_"  # what a key of Standard Webhooks begins with, as GitLab makes them


def proved(secret: str, headers: Headers, body: bytes) -> bool:
    """Return whether a request proves that its sender knows the secret."""
    found = [(proof, headers[name]) for name, proof in PROOFS.items() if name in headers]
    return any(proof(secret.encode(), given, headers, body) for proof, given in found)


def _prefixed(secret: bytes, given: str, _headers: Headers, body: bytes) -> bool:
    return _same(given, f"sha256={_hmac(secret, body).hex()}")


def _hub(secret: bytes, given: str, headers: Headers, body: bytes) -> bool:
    """Gitea and Forgejo send GitHub's header, too, and sign in it what they always sign."""
    return any(_prefixed(secret, given, headers, signed) for signed in _signed(headers, body))


def _gitea(secret: bytes, given: str, headers: Headers, body: bytes) -> bool:
    return any(_hex(secret, given, headers, signed) for signed in _signed(headers, body))


def _hex(secret: bytes, given: str, _headers: Headers, body: bytes) -> bool:
    return _same(given, _hmac(secret, body).hex())


def _grafana(secret: bytes, given: str, headers: Headers, body: bytes) -> bool:
    """Grafana signs the time, too, if it was given the name of a header for it."""
    time = headers.get("x-grafana-alerting-timestamp")
    return _same(given, _hmac(secret, body if time is None else time.encode() + b":" + body).hex())


def _standard(secret: bytes, given: str, headers: Headers, body: bytes) -> bool:
    """https://www.standardwebhooks.com: several signatures may be given, while a key is replaced by another."""
    signed = b".".join((headers.get("webhook-id", "").encode(), headers.get("webhook-timestamp", "").encode(), body))
    try:
        key = base64.b64decode(secret.removeprefix(STANDARD.encode()), validate=True)
    except binascii.Error:
        key = secret
    wanted = "v1," + base64.b64encode(_hmac(key, signed)).decode()
    return any(_same(each, wanted) for each in given.split(" ")[:10])


def _itself(secret: bytes, given: str, _headers: Headers, _body: bytes) -> bool:
    raw = given.encode("latin-1", "replace")  # headers are decoded so
    return hmac.compare_digest(raw, secret)


def _bearer(secret: bytes, given: str, headers: Headers, body: bytes) -> bool:
    scheme, _, rest = given.partition(" ")
    return scheme.lower() == "bearer" and _itself(secret, rest.strip(), headers, body)


def _signed(headers: Headers, body: bytes) -> list[bytes]:
    """Return what may have been signed: the body, and what a form holds."""
    held = payloads.sole(headers, body)
    return [body] if held is None else [body, held]


def _hmac(secret: bytes, body: bytes) -> bytes:
    return hmac.new(secret, body, hashlib.sha256).digest()


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


PROOFS: dict[str, Proof] = {
    "x-hub-signature-256": _hub,  # GitHub, Gitea, Forgejo
    "x-zchat-signature": _prefixed,
    "x-gitea-signature": _gitea,
    "x-forgejo-signature": _gitea,
    "sentry-hook-signature": _hex,
    "x-grafana-alerting-signature": _grafana,
    "webhook-signature": _standard,  # GitLab's signing token
    "x-gitlab-token": _itself,
    "authorization": _bearer,  # Alertmanager, Grafana, curl
}
