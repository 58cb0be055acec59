"""Files through the page's server: up, with a message, and down to whoever may read it."""

import contextlib
import hashlib
import os
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import Broker, wait_for
from tests.gateways.web.browser import Browser, Gateway

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d494844520000000300000002080200000012f1d4f20000000b4944415478da63606020000000050001e9fadcd8"
    "0000000049454e44ae426082"
)


def put(browser: Browser, name: str, content: bytes, **headers: str) -> httpx.Response:
    return browser.http.put("/files", params={"name": name}, content=content, headers=browser.ours | headers)


def said(browser: Browser, *files: Any, room: str = "general") -> int:
    """Say something with these files, and return its number."""
    with browser.tab() as tab:
        ack = tab.ask("say", room=room, text="", files=list(files))
        assert ack["type"] == "ack", ack
        return int(ack["seq"])


def rest(page: Gateway) -> list[Path]:
    return list((page.folder / "data").rglob("uploads/*"))


def test_a_picture_is_shown_and_anything_else_is_to_be_saved(page: Gateway) -> None:
    with Browser(page.url) as one, Browser(page.url) as two:
        one.come_in(nick="gus")
        two.come_in(nick="gina")
        picture = put(one, "a photo.png", PNG).json()
        assert picture == {
            "file": hashlib.sha256(PNG).hexdigest(), "name": "a photo.png", "type": "image/png",
            "size": len(PNG), "width": 3, "height": 2,
        }  # fmt: skip
        script = put(one, "../../evil.html", b"<script>alert(1)</script>").json()
        assert script["name"] == "evil.html"
        nothing = put(one, "", b"").json()
        assert (nothing["name"], nothing.get("size", 0)) == ("file", 0)
        assert rest(page) == []
        seq = said(one, picture, script, nothing)
        shown = two.http.get(f"/files/{seq}/{picture['file']}/a%20photo.png")
        assert (shown.content, shown.headers["content-type"]) == (PNG, "image/png")
        assert shown.headers["content-disposition"] == "inline; filename*=UTF-8''a%20photo.png"
        saved = two.http.get(f"/files/{seq}/{script['file']}/evil.png")  # whatever one calls it
        assert saved.headers["content-type"] == "application/octet-stream"
        assert saved.headers["content-disposition"].startswith("attachment;")
        assert two.http.get(f"/files/{seq}/{nothing['file']}/file").content == b""
        for answer in (shown, saved):
            assert answer.headers["content-security-policy"].startswith("sandbox")
            assert answer.headers["x-content-type-options"] == "nosniff"
        again = two.http.get(f"/files/{seq}/{picture['file']}/x.png", headers={"If-None-Match": shown.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_a_large_file_goes_through_in_parts_and_any_part_of_it_and_a_damaged_one_not(
    page: Gateway, broker: Broker
) -> None:
    content = os.urandom(3 * 1024 * 1024 + 17)
    with Browser(page.url) as browser:
        browser.come_in(nick="gus")
        file = put(browser, "data.bin", content).json()
        seq = said(browser, file)
        where = f"/files/{seq}/{file['file']}/data.bin"
        whole = browser.http.get(where)
        assert (whole.status_code, whole.content, whole.headers.get("content-range")) == (200, content, None)
        for asked, (begin, end) in {
            "bytes=0-9": (0, 10),
            "bytes=1000000-2000000": (1_000_000, 2_000_001),
            "bytes=-5": (len(content) - 5, len(content)),
            "bytes=3145728-": (3_145_728, len(content)),
            "bytes=5-99999999": (5, len(content)),
        }.items():
            answer = browser.http.get(where, headers={"Range": asked})
            assert (answer.status_code, answer.content) == (206, content[begin:end]), asked
            assert answer.headers["content-range"] == f"bytes {begin}-{end - 1}/{len(content)}"
        for nothing in ("bytes=9999999-", "bytes=-0"):
            assert browser.http.get(where, headers={"Range": nothing}).status_code == 416, nothing
        for odd in ("bytes=1-2,4-5", "lines=1-2", "bytes=-", "bytes=x-y"):
            assert browser.http.get(where, headers={"Range": odd}).content == content
        with next(broker.data.rglob(file["file"][2:])).open("r+b") as stored:
            stored.seek(-1, os.SEEK_END)
            stored.write(bytes([content[-1] ^ 1]))
        with pytest.raises(httpx.RemoteProtocolError):  # it ends before its end
            browser.http.get(where)


def test_who_may_not_read_the_message_gets_no_file(own_page: Gateway) -> None:
    with Browser(own_page.url) as owner, Browser(own_page.url) as stranger:
        owner.come_in(code=own_page.own_code)
        with owner.tab() as tab:
            assert tab.ask("access", room="+secret", mode="private")["type"] == "ack"
        file = put(owner, "a.txt", b"a secret").json()
        seq = said(owner, file, room="+secret")
        assert owner.http.get(f"/files/{seq}/{file['file']}/a.txt").content == b"a secret"
        answer = stranger.http.get(f"/files/{seq}/{file['file']}/a.txt")
        assert (answer.status_code, answer.json()["code"]) == (403, "signed_out")
        for path in (f"/files/1/{'0' * 64}/a", "/files/1/zz/a", "/files/x/y/z", "/files"):
            assert owner.http.get(path).status_code in (404, 405)
        assert put(stranger, "a.txt", b"a").status_code == 403
        assert owner.http.put("/files", content=b"x", headers={"Origin": own_page.url}).status_code == 403


@pytest.mark.parametrize("told", [True, False])
def test_one_that_is_too_large_is_refused_and_nothing_of_it_stays(page: Gateway, told: bool) -> None:
    with Browser(page.url) as browser:
        browser.come_in(nick="gus")
        most = 64 * 1024 * 1024
        with browser.tab() as tab:
            assert tab.of("hello")["broker"]["file"] == most
        if told:
            with socket.create_connection(("127.0.0.1", int(page.url.rpartition(":")[2]))) as raw:
                head = (
                    f"PUT /files?name=x HTTP/1.1\r\nHost: {page.url[7:]}\r\nOrigin: {page.url}\r\nX-Zchat: 1\r\n"
                    f"Cookie: {browser.cookie}\r\nContent-Length: {most + 1}\r\n\r\n"
                )
                raw.sendall(head.encode())
                assert raw.recv(100).startswith(b"HTTP/1.1 413")
        else:
            parts = (bytes(1024 * 1024) for _ in range(65))
            answer = browser.http.put("/files", content=parts, headers=browser.ours)
            assert (answer.status_code, answer.json()["code"]) == (413, "too_long")
        wait_for(lambda: not rest(page), "the file to be gone")


def test_an_upload_that_breaks_off_leaves_nothing(page: Gateway) -> None:
    with Browser(page.url) as browser:
        browser.come_in(nick="gus")
        with socket.create_connection(("127.0.0.1", int(page.url.rpartition(":")[2]))) as raw:
            head = (
                f"PUT /files?name=x HTTP/1.1\r\nHost: {page.url[7:]}\r\nOrigin: {page.url}\r\nX-Zchat: 1\r\n"
                f"Cookie: {browser.cookie}\r\nContent-Length: 1000000\r\n\r\n"
            )
            raw.sendall(head.encode() + bytes(100_000))
            wait_for(lambda: rest(page), "the file to be there")
        wait_for(lambda: not rest(page), "the file to be gone")


def test_who_holds_many_places_gives_way_to_others(page: Gateway) -> None:
    with contextlib.ExitStack() as stack:
        browser = stack.enter_context(Browser(page.url))
        browser.come_in(nick="gus")

        def slow(address: str) -> socket.socket:
            raw = stack.enter_context(socket.create_connection(("127.0.0.1", int(page.url.rpartition(":")[2])), 30))
            head = (
                f"PUT /files?name=x HTTP/1.1\r\nHost: {page.url[7:]}\r\nOrigin: {page.url}\r\nX-Zchat: 1\r\n"
                f"Cookie: {browser.cookie}\r\nX-Forwarded-For: {address}\r\nContent-Length: 1000000\r\n\r\n"
            )
            raw.sendall(head.encode() + bytes(100))
            return raw

        def quick(address: str) -> httpx.Response:
            where = browser.ours | {"X-Forwarded-For": address}
            return browser.http.put("/files?name=a.txt", content=b"a", headers=where)

        first = [slow("192.0.2.1") for _ in range(4)]
        wait_for(lambda: len(rest(page)) == 4, "four files on their way")
        answer = quick("192.0.2.1")
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "10")
        assert quick("198.51.100.7").status_code == 201
        for number in range(2, 5):
            for _ in range(4):
                slow(f"192.0.2.{number}")
        wait_for(lambda: len(rest(page)) == 16, "all places to be taken")
        assert quick("198.51.100.7").status_code == 201
        told = [raw.recv(100) for raw in first[:1]]
        assert told[0].startswith(b"HTTP/1.1 429"), "the first of who had most"
