"""From a POST to a message: a real broker, a real gateway, real requests."""

import contextlib
import hashlib
import hmac
import json
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import cast
from urllib.parse import urlencode

import httpx
import psutil

from tests.conftest import wait_for
from zchat.client.sync import SyncClient
from zchat.gateways.hooks.book import Book
from zchat.gateways.hooks.routes import OF_HOOK
from zchat.protocol import messages as m

from .conftest import HTTP, Gateway, deliver, post

PUSH = {"ref": "refs/heads/main", "commits": [], "repository": {"full_name": "octo/hello"}, "sender": {"login": "al"}}
PUSHED = "[octo/hello] al moved branch main"
SILENT = json.dumps({"action": "labeled", "issue": {"number": 1}}).encode()


def test_what_is_posted_is_said(gateway: Gateway, room: str) -> None:
    address = gateway.hook(room, "ci")
    answer = post(address, Content_Type="application/x-www-form-urlencoded")  # as curl does
    assert (answer.status_code, answer.text) == (200, "ok")
    assert post(address, json.dumps(PUSH), X_GitHub_Event="push").text == "ok"
    assert post(address, SILENT, X_GitHub_Event="issues").text == "ok", "read, and nothing to say"
    assert gateway.log(room) == [("ci", "done"), ("ci", PUSHED)]
    with SyncClient(broker=gateway.broker.listen) as reader:
        (bot,) = cast(m.Roster, reader.ask(m.Who(nick="ci"))).members
    assert bot.bot


def test_a_delivery_that_is_tried_again_is_said_once(gateway: Gateway, room: str) -> None:
    first, second = gateway.hook(room), gateway.hook(room)
    answers = [post(first, b"once", Idempotency_Key="k1") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert len({answer.headers["X-Zchat-Seq"] for answer in answers}) == 1
    post(first, b"other key", Idempotency_Key="k2")
    post(second, b"other hook", Idempotency_Key="k1")
    for _ in range(2):
        post(first, json.dumps(PUSH), X_GitHub_Event="push", X_GitHub_Delivery="72d3162e-cc78-11e3-81ab-4c9367dc0958")
        post(first, b"no key")
    assert gateway.said(room) == ["once", "other key", "other hook", PUSHED, "no key", "no key"]


def test_only_who_knows_the_secret_is_heard(gateway: Gateway, room: str) -> None:
    address = gateway.hook(room, kind="github", secret="s3cret")
    body = json.dumps(PUSH).encode()
    good = hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
    event = {"X_GitHub_Event": "push"}
    refused = [
        post(address, body, **event),
        post(address, body, X_Hub_Signature_256=f"sha256={'0' * 64}", **event),
        post(address, body + b" ", X_Hub_Signature_256=f"sha256={good}", **event),
        post(address, body, X_Hub_Signature_256=good, **event),
        post(address, body, Authorization="Bearer other", **event),
    ]
    assert [answer.status_code for answer in refused] == [401] * 5
    assert "secret" in refused[0].text
    assert post(address, body, X_Hub_Signature_256=f"sha256={good}", **event).status_code == 200
    form = urlencode({"payload": body}).encode()
    event["Content_Type"] = "application/x-www-form-urlencoded"
    assert post(address, form, X_Gitea_Signature=good, **event).status_code == 200, "Gitea signs the JSON in it"
    assert post(address, form + b"&text=more", X_Gitea_Signature=good, **event).status_code == 401
    assert gateway.said(room) == [PUSHED] * 2


def test_what_is_wrong_is_told_and_not_said(gateway: Gateway, room: str) -> None:
    address = gateway.hook(room)
    answers = {
        400: post(address, b"[1]", Content_Type="application/json"),
        404: post(address[:-1]),
        405: HTTP.get(address),
        413: post(address, bytes(1_048_577)),
        415: post(address, b"\x1f\x8b", Content_Encoding="gzip"),
    }
    assert {status: answer.status_code for status, answer in answers.items()} == {each: each for each in answers}
    assert answers[405].headers["Allow"] == "POST"
    assert all(answer.text.strip().endswith(".") for answer in answers.values())
    token = address.rpartition("/")[2]
    assert not any(token in answer.text for answer in answers.values())
    assert gateway.said(room) == []


def test_a_gigabyte_costs_nothing(gateway: Gateway, room: str) -> None:
    address, sent = gateway.hook(room), 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(1024):
            sent += 1
            yield bytes(1024 * 1024)

    before = psutil.Process(gateway.process.pid).memory_info().rss
    with contextlib.suppress(httpx.TransportError):  # whoever does not look while it sends may find it closed
        assert HTTP.post(address, content=endless()).status_code == 413
    assert sent < 64
    told = HTTPConnection("127.0.0.1", gateway.port)
    told.request("POST", httpx.URL(address).path, b"x", {"Content-Length": str(2**30)})
    assert told.getresponse().status == 413
    told.close()
    assert psutil.Process(gateway.process.pid).memory_info().rss < before + 32 * 1024 * 1024
    assert gateway.said(room) == []


def test_a_long_text_is_said_cut(gateway: Gateway, room: str) -> None:
    assert post(gateway.hook(room), "é" * 100_000).status_code == 200
    (said,) = gateway.said(room)
    assert said.startswith("ééé")
    assert said.endswith("too long)")
    assert len(said.encode()) <= 16 * 1024


def test_a_hook_works_and_is_gone_without_a_restart(gateway: Gateway, room: str) -> None:
    address = gateway.hook(room)
    assert post(address).status_code == 200
    (found,) = (hook for hook in Book(gateway.folder).read() if hook.room == room)
    Book(gateway.folder).remove(found.id)
    assert post(address).status_code == 404
    with SyncClient(room, gateway.broker.listen) as taker:
        assert taker.nick == room, "the bot is gone, and its nick is free"


def test_too_much_is_refused_for_a_while(gateway: Gateway, room: str) -> None:
    address = gateway.hook(room)
    answers = [post(address, SILENT, X_GitHub_Event="issues") for _ in range(101)]
    assert [answer.status_code for answer in answers] == [200] * 100 + [429]
    assert 1 < int(answers[-1].headers["Retry-After"]) <= 100
    assert post(gateway.hook(room), SILENT, X_GitHub_Event="issues").status_code == 200
    guesses = [post(f"{gateway.url}/hook/{guess}").status_code for guess in range(12)]
    assert guesses[-1] == 429
    assert set(guesses[:-1]) <= {404, 429}, "other tests have guessed, too"


def test_a_sender_that_dawdles_keeps_out_only_its_own_hook(gateway: Gateway, room: str) -> None:
    address, other = gateway.hook(room), gateway.hook(room)
    with contextlib.ExitStack() as stack:
        for _ in range(OF_HOOK):
            dawdler = stack.enter_context(socket.create_connection(("127.0.0.1", gateway.port)))
            head = f"POST {httpx.URL(address).path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"
            dawdler.sendall(head.encode())
        wait_for(lambda: post(address, SILENT, X_GitHub_Event="issues").status_code == 503, "all to dawdle")
        assert post(other, SILENT, X_GitHub_Event="issues").status_code == 200
    wait_for(lambda: post(address, SILENT, X_GitHub_Event="issues").status_code == 200, "them to be gone")


def test_a_damaged_file_keeps_the_hooks_that_were_known(gateway: Gateway, room: str) -> None:
    address, path = gateway.hook(room), gateway.folder / "hooks.toml"
    assert post(address).status_code == 200
    content = path.read_bytes()
    try:
        path.write_text("[[hooks]")
        assert post(address).status_code == 200
    finally:
        path.write_bytes(content)


def test_somebody_else_has_the_nick(gateway: Gateway, room: str) -> None:
    address = gateway.hook(room)
    with SyncClient(room, gateway.broker.listen):
        answer = post(address)
    assert answer.status_code == 409
    assert "Somebody else has the nick of this hook. " in answer.text
    assert post(address).status_code == 200, "it is free now"


def test_while_the_broker_is_away_senders_are_told_to_try_again(own_gateway: Gateway, room: str) -> None:
    address = own_gateway.hook(room)
    deliver(address, b"before")
    own_gateway.broker.kill()
    answer = post(address, b"meanwhile", Idempotency_Key="k1")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    own_gateway.broker.start()
    deliver(address, b"meanwhile", Idempotency_Key="k1")
    assert own_gateway.said(room) == ["before", "meanwhile"]


def test_what_is_on_its_way_when_the_broker_hangs_is_said_once_without_a_key(own_gateway: Gateway, room: str) -> None:
    address = own_gateway.hook(room)
    deliver(address, b"before")
    own_gateway.broker.process.send_signal(signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(2) as senders:
            codes = [answer.status_code for answer in senders.map(post, [address] * 2)]
        assert codes == [503, 503]
    finally:
        own_gateway.broker.process.send_signal(signal.SIGCONT)
    for _ in range(2):
        deliver(address)  # their second tries
    assert own_gateway.said(room) == ["before", "done", "done"]
    deliver(address)  # another one
    assert own_gateway.said(room) == ["before", "done", "done", "done"]
