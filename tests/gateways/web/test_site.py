"""By which address people come, and how often somebody may do something."""

import asyncio

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from zchat.errors import UsageError
from zchat.gateways.web.guard import Guard
from zchat.gateways.web.site import site_of


def test_on_this_machine_it_has_three_names_and_no_tls() -> None:
    for host in ("127.0.0.1", "localhost", "::1"):
        site = site_of(host, 8080, None, False)
        assert site.url == "http://localhost:8080"
        assert site.hosts == {"localhost:8080", "127.0.0.1:8080", "[::1]:8080"}
        assert site.origins == {f"http://{each}" for each in site.hosts}
        assert not site.secure
        assert site.cookie == "zchat-8080"


def test_behind_a_proxy_it_is_what_the_url_says_and_nothing_else() -> None:
    site = site_of("127.0.0.1", 8080, "https://Chat.example.org/", False)
    assert site.url == "https://chat.example.org"
    assert site.hosts == {"chat.example.org"}
    assert site.origins == {"https://chat.example.org"}
    assert site.secure
    assert site.cookie == "__Host-zchat"
    assert site_of("0.0.0.0", 443, "https://chat.example.org:8443", True).hosts == {"chat.example.org:8443"}
    assert site_of("192.0.2.1", 443, None, True).url == "https://192.0.2.1"


@pytest.mark.parametrize(
    ("host", "url", "tls", "why"),
    [
        ("0.0.0.0", None, True, "--url"),
        ("::", None, True, "--url"),
        ("*", None, True, "--url"),
        ("", None, True, "--url"),
        ("192.0.2.1", None, False, "certificate"),
        ("127.0.0.1", "http://chat.example.org", False, "https"),
        ("127.0.0.1", "https://chat.example.org/path", False, "path"),
        ("127.0.0.1", "chat.example.org", False, "https://"),
        ("127.0.0.1", "https://u@chat.example.org", False, "address"),
        ("127.0.0.1", "https://chat.example.org:99999", False, "address"),
    ],
)
def test_what_would_be_in_the_clear_or_nowhere_is_refused(host: str, url: str | None, tls: bool, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        site_of(host, 443, url, tls)


def test_whom_a_proxy_brings_without_a_word_are_one_address(caplog: pytest.LogCaptureFixture) -> None:
    async def whose(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse(scope["address"])(scope, receive, send)

    guard = Guard(whose, site_of("127.0.0.1", 8080, "https://chat.example.org", tls=False), ("/metrics",))

    async def asked(url: str, host: str, **headers: str) -> str:
        transport = httpx.ASGITransport(guard, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url=url) as client:
            return (await client.get("/metrics", headers={"Host": host, **headers})).text

    def answer(*args: str, **headers: str) -> str:
        return asyncio.run(asked(*args, **headers))

    assert [answer("http://a", "chat.example.org") for _ in range(2)] == ["unknown"] * 2
    assert caplog.text.count("X-Forwarded-For") == 1, "it is told once"
    forwarded = {"X-Forwarded-For": "203.0.113.5, 198.51.100.7"}
    assert answer("http://a", "chat.example.org", **forwarded) == "198.51.100.7"
    assert answer("http://a", "127.0.0.1:8080") == "127.0.0.1", "who is on this machine is"
    assert answer("https://a", "chat.example.org") == "127.0.0.1", "there is no proxy"
    guard = Guard(whose, site_of("127.0.0.1", 8080, "https://chat.example.org", tls=False), ("/metrics",))
    caplog.clear()
    assert answer("http://a", "chat.example.org", **{"X-Forwarded-For": "127.0.0.1"}) == "unknown"
    assert "tells of somebody on this machine" in caplog.text
    assert "does not tell" not in caplog.text
