"""What strangers, slow tabs and broken frames can do to the page's server: nothing to others."""

import contextlib
import itertools
import resource
import socket
import ssl
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from tests.conftest import PATIENCE, Broker, wait_for
from tests.gateways.web.browser import Browser, Gateway, gateway, ipc_of
from tests.gateways.web.push_service import certificate
from zchat.gateways import connections
from zchat.gateways.web import entering
from zchat.gateways.web.household import TABS_MAX
from zchat.gateways.web.socket import COMMANDS


def port_of(page: Gateway) -> int:
    return int(page.url.rpartition(":")[2])


@pytest.fixture
def hasty(tmp_path: Path, environment: dict[str, str], broker: Broker) -> Iterator[Gateway]:
    """Return a gateway that waits a second for what others wait ten."""
    assert max(connections.HEAD, connections.REST, entering.BODY_WAIT) <= 15
    program = (sys.executable, "-m", "tests.gateways.web.hasty")
    with gateway(tmp_path, environment, broker, program=program) as running:
        yield running


def test_who_sends_no_whole_request_is_cut_and_others_are_served_meanwhile(hasty: Gateway) -> None:
    silent = [socket.create_connection(("127.0.0.1", port_of(hasty))) for _ in range(50)]
    for each in silent[::2]:
        each.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    with Browser(hasty.url) as browser:
        assert browser.http.get("/in").status_code == 200
    for each in (*silent, *_who_take_their_time(hasty)):
        each.settimeout(PATIENCE)
        with each, contextlib.suppress(ConnectionResetError):
            while each.recv(4_096):
                pass


def _who_take_their_time(page: Gateway) -> list[socket.socket]:
    """Return connections on which a second request, and a body that somebody waits for, were begun."""
    ours = f"Host: {page.url[7:]}\r\nOrigin: {page.url}\r\nX-Zchat: 1\r\n"
    second, body = (socket.create_connection(("127.0.0.1", port_of(page))) for _ in range(2))
    second.sendall(f"GET /in HTTP/1.1\r\n{ours}\r\n".encode())
    assert second.recv(4_096)
    second.sendall(b"GET / HT")
    body.sendall(f"POST /in HTTP/1.1\r\n{ours}Content-Length: 1000\r\n\r\n{{".encode())
    return [second, body]


def test_who_is_answered_and_goes_on_sending_is_cut(hasty: Gateway) -> None:
    with socket.create_connection(("127.0.0.1", port_of(hasty))) as endless:
        endless.sendall(f"PUT /files HTTP/1.1\r\nHost: {hasty.url[7:]}\r\nContent-Length: 60000000\r\n\r\n".encode())
        endless.settimeout(0.1)
        begun = time.monotonic()
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            while time.monotonic() - begun < PATIENCE:
                endless.sendall(b"x")
                with contextlib.suppress(TimeoutError):
                    if not endless.recv(4_096):
                        break
        assert time.monotonic() - begun < PATIENCE


def test_a_proxy_is_believed_the_last_of_what_it_tells(page: Gateway) -> None:
    others = itertools.count(1)
    with Browser(page.url) as browser:

        def tried(n: int) -> int:
            told = ("X-Forwarded-For", f"192.0.2.{n}"), ("X-Forwarded-For", "198.51.100.1")
            return browser.post("/in", {"code": "x"}, headers=[*browser.ours.items(), *told]).status_code

        assert tried(0) == 403
        wait_for(lambda: tried(next(others)) == 429, "its address to have tried often")


def test_very_many_who_say_nothing_keep_nobody_out(page: Gateway) -> None:
    pid, files = page.process.pid, 400
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    assert soft == hard  # it takes as many as it may have
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (files, hard))
    with contextlib.ExitStack() as stack:
        for _ in range(files + files // 2):
            stack.enter_context(socket.create_connection(("127.0.0.1", port_of(page))))
        with Browser(page.url) as browser:
            assert browser.come_in(nick="gus").status_code == 200
            with browser.tab() as tab:
                assert tab.of("hello")["online"]
        assert "out of system resource" not in page.output("stderr")


def test_frames_that_are_too_large_or_no_text_end_the_tab_alone(page: Gateway) -> None:
    with Browser(page.url) as browser:
        browser.come_in(nick="gus")
        with browser.tab() as good:
            good.of("hello")
            for bad in ("x" * 300_000, b"\x00\x01"):
                with browser.tab() as tab:
                    tab.of("hello")
                    tab.socket.send(bad)
                    with pytest.raises(ConnectionClosed):
                        tab.of("nothing")
            for odd in ("[]", "{}", '"x"', "1", '{"id":"x","type":"rooms"}', "[" * 100_000, '{"type":1}'):
                good.socket.send(odd)
                assert good.of("refused")["code"] in ("bad_json", "bad_command")
            assert good.ask("rooms")["type"] == "rooms"
            begun = time.monotonic()
            for _ in range(int(COMMANDS.burst + COMMANDS.rate)):
                good.send({"type": "visible", "visible": True})
            assert good.ask("rooms")["type"] == "rooms"
            assert time.monotonic() - begun > 0.5, "who sends that much is read more slowly"
            with contextlib.ExitStack() as stack:
                for _ in range(TABS_MAX):
                    stack.enter_context(browser.tab()).of("hello")
                with pytest.raises(ConnectionClosed) as closed:
                    good.of("nothing")
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 4408, "so many tabs has nobody: the oldest one gives way"


def test_what_costs_much_to_read_and_carries_little_is_cut(page: Gateway) -> None:
    ours = f"Host: {page.url[7:]}\r\nOrigin: {page.url}\r\nX-Zchat: 1\r\n"
    tiny = f"POST /in HTTP/1.1\r\n{ours}Transfer-Encoding: chunked\r\n\r\n".encode() + b"1\r\nx\r\n" * 500_000
    heads = f"GET /in HTTP/1.1\r\n{ours}".encode() + b"a:\r\n" * 300 + b"\r\n"
    upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    line = f"GET /ws HTTP/1.1\r\n{ours}{upgrade}X: {'x' * 10_000}\r\n\r\n".encode()
    odd = f"POST /ws HTTP/1.1\r\n{ours}{upgrade}\r\n".encode()
    for sent in (tiny, heads, line, odd):
        assert len(_until_cut(page, sent)) < 10_000, sent[:40]
    with Browser(page.url) as browser:
        browser.come_in(nick="gus")
        for frame in (b"\x00\x80\0\0\0\0", b"\x00\x81\0\0\0\0x", b"\x89\xfd\0\0\0\0" + b"x" * 125, b"\x8a\x80\0\0\0\0"):
            with browser.tab() as tab:
                tab.of("hello")
                tab.socket.socket.sendall(b"\x01\x81\0\0\0\0x")  # a text begins
                with contextlib.suppress(OSError):  # the library has closed it by then, or the server
                    tab.socket.socket.sendall(frame * 200_000)
                with pytest.raises(ConnectionClosed):
                    tab.of("nothing")
    assert page.output("stderr") == "", "strangers fill no log"


def _until_cut(page: Gateway, sent: bytes) -> bytes:
    """Return what the server says to this until it ends the connection."""
    said = b""
    with socket.create_connection(("127.0.0.1", port_of(page)), timeout=30) as raw:
        with contextlib.suppress(ConnectionError):
            raw.sendall(sent)
        with contextlib.suppress(ConnectionError):
            while part := raw.recv(65_536):
                said += part
    return said


def test_a_tab_that_reads_nothing_is_cut_and_others_hear_all(page: Gateway) -> None:
    text = "&" * 16_000  # five times as much as HTML
    with Browser(page.url) as one, Browser(page.url) as two:
        one.come_in(nick="gus")
        two.come_in(nick="gina")
        raw = socket.create_connection(("127.0.0.1", port_of(page)))
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        head = (
            f"GET /ws HTTP/1.1\r\nHost: {page.url[7:]}\r\nOrigin: {page.url}\r\nCookie: {one.cookie}\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        raw.sendall(head.encode())
        with one.tab() as gus, two.tab() as gina:
            gus.of("hello")
            gina.of("hello")
            for number in range(120):  # eleven megabytes
                assert gina.ask("say", room="general", text=f"{number} {text}")["type"] == "ack"
                gus.event(text=f"{number} {text}")
            with raw:
                wait_for(lambda: tabs(page) == 2, "the slow one to be cut")


def tabs(page: Gateway) -> int:
    """Return how many tabs the server counts."""
    told = httpx.get(f"{page.url}/metrics", timeout=30).text
    (line,) = [line for line in told.splitlines() if line.startswith("zchat_web_tabs ")]
    return int(float(line.split()[1]))


def test_guessing_codes_is_slow(page: Gateway) -> None:
    with Browser(page.url) as browser:
        assert browser.come_in(code="guess").status_code == 403
        wait_for(lambda: browser.come_in(code="guess").status_code == 429, "it to be asked to wait")
        other = {"X-Forwarded-For": "1.2.3.4, 192.0.2.7"}  # a proxy on this machine tells who it is
        assert browser.post("/in", {"code": "x"}, headers=browser.ours | other).status_code == 403
        assert browser.http.post("/in", content=b"x" * 10_000, headers=browser.ours | other).status_code == 400


def test_the_headers_let_nothing_in_from_elsewhere(page: Gateway) -> None:
    with Browser(page.url) as browser:
        for path in ("/", "/room/general/17", "/in", "/nothing"):
            headers = browser.http.get(path).headers
            assert "default-src 'none'" in headers["content-security-policy"]
            assert "require-trusted-types-for 'script'" in headers["content-security-policy"]
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["x-content-type-options"] == "nosniff"
        cookie = browser.come_in(nick="gus").headers["set-cookie"].lower()
        for part in ("httponly", "samesite=strict", "path=/"):
            assert part in cookie
        assert "secure" not in cookie  # on this machine, without TLS
        etag = browser.http.get("/").headers["etag"]
        assert browser.http.get("/", headers={"If-None-Match": etag}).status_code == 304


def test_with_a_certificate_all_is_encrypted_and_the_cookie_stays_so(
    tmp_path: Path, environment: dict[str, str], broker: Broker
) -> None:
    key, chain = certificate()
    (tmp_path / "key.pem").write_bytes(key)
    (tmp_path / "chain.pem").write_bytes(chain)
    files = ("--certificate", str(tmp_path / "chain.pem"), "--key", str(tmp_path / "key.pem"))
    trust = ssl.create_default_context(cadata=chain.decode())
    with gateway(tmp_path, environment, broker, *files) as page, Browser(page.url, verify=trust) as browser:
        assert page.url.startswith("https://localhost:")
        answer = browser.come_in(nick="gus")
        assert "secure" in answer.headers["set-cookie"].lower()
        assert answer.headers["set-cookie"].startswith("__Host-zchat=")
        with browser.tab(ssl=trust) as tab:
            assert tab.of("hello")["me"]["nick"] == "gus"
        most, pid = 300, page.process.pid
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]))
        with contextlib.ExitStack() as stack:  # who agrees on no keys is counted, too, and gives way
            for _ in range(most + most // 2):
                stack.enter_context(socket.create_connection(("127.0.0.1", port_of(page))))
            assert browser.http.get("/in").json()["in"]
            assert "out of system resource" not in page.output("stderr")


@pytest.mark.parametrize(
    ("args", "code", "why"),
    [
        (("--listen", "0.0.0.0:0"), 2, "--url"),
        (("--listen", "nonsense"), 2, "HOST:PORT"),
        (("--listen", "65536"), 2, "no number up to 65,535"),
        (("--key", __file__), 2, "--certificate"),
        (("--certificate", __file__), 2, "certificate"),
        (("--url", "http://chat.example.org"), 2, "https"),
    ],
)
def test_what_cannot_be_served_is_told_in_one_sentence(zchat: Any, args: tuple[str, ...], code: int, why: str) -> None:
    done = zchat("web", "--listen", "127.0.0.1:0", *args)
    assert (done.code, why in done.err) == (code, True), done.err
    assert "Traceback" not in done.err


def test_two_servers_do_not_share_a_folder_or_a_port(page: Gateway, zchat: Any, broker: Broker) -> None:
    same = zchat("web", "--listen", "127.0.0.1:0", "--data", str(page.folder / "data"), broker=broker)
    assert (same.code, "in use" in same.err) == (74, True), same.err
    port = zchat("web", "--listen", page.listen, broker=broker)
    assert (port.code, "--listen" in port.err) == (74, True), port.err


def test_who_is_sent_away_is_told_so_and_is_not_back_at_once(
    page: Gateway, broker: Broker, environment: dict[str, str], zchat: Any
) -> None:
    assert broker.pid
    owner = {"ZCHAT_BROKER": ipc_of(environment)}
    with Browser(page.url) as browser:
        browser.come_in(nick="gus")
        with browser.tab() as tab:
            tab.of("hello")
            done = zchat("kick", "gus", "enough", env=owner)
            assert done.code == 0, done.err
            assert "enough" in tab.of("state")["why"]
            with pytest.raises(ConnectionClosed):
                tab.of("nothing")
        with browser.tab() as tab:
            state = tab.next()
            assert (state["type"], state["online"], "enough" in state["why"]) == ("state", False, True)
