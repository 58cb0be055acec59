"""Signatures, keys of deliveries, bounds: nothing but functions."""

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from zchat.gateways.hooks import deliveries, payloads, signatures

BODY = b'{"a": 1}'
KEY = base64.b64encode(bytes(range(32))).decode()


def signed(secret: bytes, body: bytes = BODY) -> bytes:
    return hmac.new(secret, body, hashlib.sha256).digest()


HEX = signed(b"s").hex()
RAW = "v1," + base64.b64encode(signed(b"no base64!", b"id1.17." + BODY)).decode()
STANDARD = "v1," + base64.b64encode(signed(bytes(range(32)), b"id1.17." + BODY)).decode()


@pytest.mark.parametrize(
    ("secret", "headers"),
    [
        ("s", {"x-hub-signature-256": f"sha256={HEX}"}),
        ("s", {"x-zchat-signature": f"sha256={HEX}"}),
        ("s", {"x-gitea-signature": HEX}),
        ("s", {"x-forgejo-signature": HEX}),
        ("s", {"sentry-hook-signature": HEX}),
        ("s", {"x-grafana-alerting-signature": HEX}),
        (
            "s",
            {
                "x-grafana-alerting-signature": signed(b"s", b"17:" + BODY).hex(),
                "x-grafana-alerting-timestamp": "17",
            },
        ),
        (f"whsec_{KEY}", {"webhook-signature": STANDARD, "webhook-id": "id1", "webhook-timestamp": "17"}),
        (f"whsec_{KEY}", {"webhook-signature": f"v1,x {STANDARD}", "webhook-id": "id1", "webhook-timestamp": "17"}),
        ("no base64!", {"webhook-signature": RAW, "webhook-id": "id1", "webhook-timestamp": "17"}),
        ("s", {"x-gitlab-token": "s"}),
        ("s", {"authorization": "Bearer s"}),
        ("s", {"authorization": "bearer  s"}),
        ("ü", {"x-gitlab-token": "ü".encode().decode("latin-1")}),
    ],
)
def test_whoever_knows_the_secret_proves_it(secret: str, headers: dict[str, str]) -> None:
    assert signatures.proved(secret, headers, BODY)
    assert not signatures.proved(f"{secret}x", headers, BODY) or "webhook-signature" in headers
    assert not signatures.proved("another", headers, BODY)
    if not {"x-gitlab-token", "authorization"} & headers.keys():
        assert not signatures.proved(secret, headers, BODY + b" ")


@pytest.mark.parametrize(
    "headers",
    [{}, {"x-hub-signature-256": ""}, {"x-hub-signature-256": HEX}, {"x-gitea-signature": HEX.upper()},
     {"authorization": "Basic s"}, {"webhook-signature": "v1,"}, {"x-hub-signature": HEX}, {"x-gitlab-token": "é"}],
)  # fmt: skip
def test_nothing_else_proves_it(headers: dict[str, str]) -> None:
    assert not signatures.proved("s", headers, BODY)


PAYLOADS = json.loads((Path(__file__).parent / "payloads" / "gitea.json").read_text())
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize("published", PAYLOADS, ids=lambda each: each["as"])
@pytest.mark.parametrize("name", ["x-gitea-signature", "x-forgejo-signature", "x-hub-signature-256"])
def test_a_form_is_signed_as_a_whole_or_by_the_json_in_it(published: dict[str, Any], name: str) -> None:
    content = json.dumps(published["body"], indent=2, ensure_ascii=False).encode()  # as Gitea writes it
    body = urlencode({"payload": content}).encode()
    begin = "sha256=" if name.startswith("x-hub") else ""
    by_content = published["headers"] | FORM | {name: begin + signed(b"s", content).hex()}  # Gitea, Forgejo
    by_body = published["headers"] | FORM | {name: begin + signed(b"s", body).hex()}  # GitHub
    for headers in (by_content, by_body):
        assert signatures.proved("s", headers, body)
        assert payloads.read("auto", headers, body, 16 * 1024) == published["said"]
        assert not signatures.proved("another", headers, body)
        assert not signatures.proved("s", headers, body.replace(b"repository", b"repositorx"))
    assert signatures.proved("s", by_content, content), "as JSON"
    for unsigned in (body + b"&payload=more", body + b"&text=more", b"text=more&" + body, body + b"+more"):
        assert not signatures.proved("s", by_content, unsigned)
    assert not signatures.proved("s", by_content | {"content-type": "text/plain"}, body)


def test_what_github_publishes_as_an_example_is_proved() -> None:
    digest = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    headers = {"x-hub-signature-256": f"sha256={digest}"}
    assert signatures.proved("It's a Secret to Everybody", headers, b"Hello, World!")


def test_a_second_try_has_the_key_of_the_first() -> None:
    def key(hook: str = "h", body: bytes = BODY, **headers: str) -> str | None:
        return deliveries.key(hook, {name.replace("_", "-"): value for name, value in headers.items()}, body)

    assert key() is None
    assert key(x_github_delivery="1") == key(x_github_delivery="1", body=b"other")
    assert key(idempotency_key="1", x_gitlab_event_uuid="2") == key(idempotency_key="1", x_gitlab_event_uuid="3")
    different = [
        key(idempotency_key="1"), key(idempotency_key="2"), key("other", idempotency_key="1"),
        key(x_github_delivery="1"), key(x_gitlab_event_uuid="1"), key(x_gitlab_event_uuid="1", body=b"follows from it"),
        key(sentry_hook_resource="issue", request_id="1"),
    ]  # fmt: skip
    assert len(set(different)) == len(different)
    assert None not in different
    assert all(len(each or "") <= 128 for each in different)
    assert key(request_id="1") is None, "a proxy's"
