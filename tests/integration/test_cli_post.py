"""`zchat tail --post`: each message reaches a web server, signed, as often as it takes and no more."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.client.real import until
from tests.conftest import PATIENCE, ZCHAT, Broker, RunZchat
from tests.integration.commands import TIMEOUTS
from zchat.cli.webhook import LONGEST, TRIES, Webhook
from zchat.protocol import messages as m

MESSAGE = m.Message(seq=1, prev=0, room="general", time="", from_="a" * 16, nick="alice", kind="message", text="one")


class Receiver(ThreadingHTTPServer):
    """Answers with `answers`, then with 200, and as a proxy with a refusal; keeps what it was sent."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.answers: list[int] = []
        self.drips = False  # its answers never end
        self.breaks = False  # its answers are cut off
        self.retry_after = ""
        self.taken: list[tuple[dict[str, str], bytes]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/hook"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Receiver)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append((dict(self.headers), body))
        self.send_response(self.server.answers.pop(0) if self.server.answers else 200)
        if self.server.breaks:
            self.send_header("Content-Length", "7")
            self.end_headers()
            self.wfile.write(b"x")
            self.close_connection = True
        elif self.server.drips:
            self.end_headers()
            self._drip()
        else:
            self.send_header("Retry-After", self.server.retry_after)
            self.send_header("Content-Length", "0")
            self.end_headers()

    def do_CONNECT(self) -> None:
        self.send_response(403, "\x1b[2Jgo away")
        self.end_headers()

    def _drip(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(b"x")
                time.sleep(0.1)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def receiving(port: int = 0) -> Iterator[Receiver]:
    with Receiver(port) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


def test_each_message_is_posted_signed_and_tried_again(
    broker: Broker, zchat: RunZchat, receiver: Receiver, environment: dict[str, str]
) -> None:
    zchat("send", "--nick", "alice", "-", input="one\ntwo\nthree\n", broker=broker)
    receiver.answers = [503, 200, 410]
    result = zchat("tail", "--post", receiver.url, broker=broker, env={"ZCHAT_SECRET": "s3cret"})
    assert (result.code, result.out) == (0, "")
    assert "message 2 was not posted: the server answered 410" in result.err
    lines = zchat("tail", "--json", broker=broker).raw.splitlines()
    assert [body for _, body in receiver.taken] == [lines[0], lines[0], lines[1], lines[2]]
    for headers, body in receiver.taken:
        assert headers["X-Zchat-Signature"] == "sha256=" + hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
    keys = [headers["Idempotency-Key"] for headers, _ in receiver.taken]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
    logged = (Path(environment["ZCHAT_LOG_DIR"]) / "client.log").read_text()
    assert "the server answered 503, trying again" in logged
    assert receiver.url not in logged  # it may be a secret


@pytest.mark.parametrize(
    ("code", "asked", "outcome"),
    [
        (204, "", (1, "", 0.0)),
        (429, "", (TRIES, "the server answered 429", 0.0)),
        (429, "7", (TRIES, "the server answered 429", 7.0)),
        (503, "3600", (TRIES, "the server answered 503", LONGEST)),
        (503, "Wed, 21 Oct 2026 07:28:00 GMT", (TRIES, "the server answered 503", 0.0)),
        (400, "7", (1, "the server answered 400", 7.0)),
    ],
)
def test_what_time_may_heal_is_tried_again_when_the_server_says_but_within_bounds(
    receiver: Receiver, code: int, asked: str, outcome: tuple[float, str, float]
) -> None:
    async def tried() -> tuple[float, str, float]:
        async with Webhook(receiver.url, None, str, 10.0) as webhook:
            return await webhook._try(b"{}", {})

    receiver.answers, receiver.retry_after = [code], asked
    assert asyncio.run(tried()) == outcome


def test_what_a_proxy_says_of_a_failure_does_not_act_on_the_terminal(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def post() -> None:
        async with Webhook("https://hooks.invalid/", None, str, 10.0) as webhook:
            await webhook.handle(MESSAGE, b"{}")

    monkeypatch.setenv("https_proxy", receiver.url.removesuffix("/hook"))
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setattr("zchat.cli.webhook.FIRST", 0.0)
    asyncio.run(post())
    assert capsys.readouterr().err == "zchat: message 1 was not posted: ProxyError 403 \\x1b[2Jgo away\n"


def test_a_message_whose_answer_is_cut_off_was_taken_all_the_same(
    broker: Broker, zchat: RunZchat, receiver: Receiver
) -> None:
    zchat("send", "one", broker=broker)
    receiver.breaks = True
    assert zchat("tail", "--post", receiver.url, broker=broker).err == ""
    assert len(receiver.taken) == 1


def test_a_server_that_is_down_is_waited_for(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]  # nobody answers there from the end of this block on

    async def post() -> None:
        async with Webhook(f"http://127.0.0.1:{port}/", None, str, 10.0) as webhook:
            taking = asyncio.create_task(webhook.handle(MESSAGE, b"{}"))
            await until(lambda: len(caplog.records) > TRIES)
            with receiving(port) as server:
                await taking
            assert len(server.taken) == 1

    monkeypatch.setattr("zchat.cli.webhook.FIRST", 0.0)
    asyncio.run(post())


def test_an_answer_that_never_ends_holds_up_nothing(broker: Broker, zchat: RunZchat, receiver: Receiver) -> None:
    zchat("send", "--nick", "alice", "-", input="one\ntwo\n", broker=broker)
    receiver.drips = True
    for seconds in (1.0, *TIMEOUTS):  # in which it must have reached the broker, too
        receiver.taken.clear()
        result = zchat("tail", "--post", receiver.url, "--timeout", f"{seconds:g}", broker=broker, timeout=8 * PATIENCE)
        if not result.err:
            break
    assert (result.code, result.out, result.err) == (0, "", "")
    assert [json.loads(body)["text"] for _, body in receiver.taken] == ["one", "two"]


def test_a_server_that_does_not_answer_is_told(broker: Broker, environment: dict[str, str], zchat: RunZchat) -> None:
    zchat("send", "--nick", "alice", "one", broker=broker)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/"
        env = environment | {"ZCHAT_BROKER": broker.listen}
        for seconds in (0.5, *TIMEOUTS):  # it is the time in which it must have reached the broker, too
            command = (*ZCHAT, "tail", "--post", url, "--timeout", f"{seconds:g}", "-v")
            with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as tail:
                assert tail.stderr is not None
                told = next((line for line in tail.stderr if "trying again" in line), "")
                tail.terminate()
            if told:
                break
        assert f"no answer in {seconds:g} s, trying again" in told


def test_an_address_that_is_none_is_wrong_usage(zchat: RunZchat) -> None:
    result = zchat("tail", "--post", "example.org")
    assert result.code == 2
    assert "begins with https://" in result.err


def test_a_host_that_no_name_can_have_is_given_up_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    async def post() -> None:
        async with Webhook("http://xn--/", None, str, 1.0) as webhook:
            await webhook.handle(MESSAGE, b"{}")

    asyncio.run(post())
    assert "message 1 was not posted" in capsys.readouterr().err


def test_with_resume_each_run_posts_what_no_run_before_it_has_posted_or_given_up(
    broker: Broker, zchat: RunZchat, receiver: Receiver, tmp_path: Path
) -> None:
    command = ("tail", "--resume", "hook", "--data", str(tmp_path), "--post", receiver.url)
    posted = []
    for texts, answers in (("1\n2\n", [200, 410]), ("", []), ("3\n", [503, 200])):
        zchat("send", "-", input=texts, broker=broker)
        receiver.answers = answers
        assert zchat(*command, broker=broker).code == 0
        posted.append([json.loads(body)["text"] for _, body in receiver.taken])
        receiver.taken.clear()
    assert posted == [["1", "2"], [], ["3", "3"]]
