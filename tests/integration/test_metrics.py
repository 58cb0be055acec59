"""The numbers of a broker, scraped as Prometheus scrapes them: each moves by what it names, and nobody is held up."""

import contextlib
import hashlib
import http.client
import json
import re
import socket
from base64 import b64encode
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import PATIENCE, Broker, RunZchat, StartBroker, wait_for
from tests.integration.conftest import NetOf, promptly
from tests.integration.raw import Net, compact
from tests.integration.test_protocol_full_disk import Limited, say_until_unavailable
from zchat import exposition
from zchat.broker import metrics
from zchat.errors import AddressInUseError, UsageError
from zchat.version import __version__

PAGE = Path(exposition.__file__).parent / "docs" / "operations.md"


def where(broker: Broker) -> str:
    """Return HOST:PORT of a broker's numbers."""
    found = re.search(r"^metrics http://(\S+)/metrics$", broker.output(), re.MULTILINE)
    assert found is not None, broker.output()
    return found[1]


def get(at: str, path: str = "/metrics", method: str = "GET") -> tuple[int, str]:
    """Return the status and the body of an answer."""
    asked = http.client.HTTPConnection(at, timeout=PATIENCE)
    asked.request(method, path)
    with asked.getresponse() as answer:
        return answer.status, answer.read().decode()


def scrape(at: str) -> dict[str, float]:
    """Return the samples by their names; those of a label as `name/label`."""
    code, page = get(at)
    assert code == 200
    return {
        "/".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


Moved = Callable[[dict[str, float]], None]


@pytest.fixture
def counting(start_broker: StartBroker) -> Broker:
    return start_broker("--metrics", "127.0.0.1:0", "--rate", "0")


@pytest.fixture
def net(counting: Broker, net_of: NetOf) -> Net:
    return net_of(counting)


@pytest.fixture
def moves(counting: Broker) -> Moved:
    """Return a function that waits until numbers have moved by so much since the test began."""
    at = where(counting)
    before = scrape(at)

    def by(wanted: dict[str, float]) -> None:
        def seen() -> dict[str, float]:
            now = scrape(at)
            return {name: now.get(name, 0.0) - before.get(name, 0.0) for name in wanted}

        wait_for(lambda: seen() == wanted, f"{wanted}, and not {seen()}")

    return by


def test_what_is_said_counts_as_stored_published_and_delivered(net: Net, moves: Moved) -> None:
    alice, bob, carl = (net.session(name) for name in ("alice", "bob", "carl"))
    for peer in (alice, bob, carl):
        peer.join("dev")
    bob.join("ops")
    moves({"zchat_sessions": 3, "zchat_sessions_begun_total": 3, "zchat_published_lines_total": 4})
    delivered = 1 + 2 + 3 + 1  # who joins is announced to those who are there by then, and to oneself
    moves({"zchat_deliveries_total": delivered})
    alice.say_all([f"{k}" for k in range(10)], room="dev")
    bob.say("x", room="ops")
    moves({"zchat_messages_total": 11, "zchat_log_head": 11, "zchat_rooms": 2, "zchat_published_lines_total": 15})
    moves({"zchat_deliveries_total": delivered + 10 * 3 + 1})
    bob.ask("parted", type="part", room="dev")
    alice.say("to two", room="dev")
    moves({"zchat_deliveries_total": delivered + 10 * 3 + 1 + 2 + 2})


def test_lines_bytes_batches_and_commits_are_those_of_the_socket(net: Net, moves: Moved) -> None:
    alice = net.session("alice")
    moves({"zchat_received_lines_total": 1, "zchat_batch_frames_count": 1, "zchat_commit_seconds_count": 0})
    line = {"type": "say", "n": 1, "room": "dev", "text": "one"}
    alice.send(line, line | {"n": 2})
    assert alice.expect("ack", n=2)
    moves({"zchat_received_lines_total": 3, "zchat_batch_frames_sum": 2, "zchat_batch_seconds_count": 2})
    moves({"zchat_commit_seconds_count": 1, "zchat_sent_lines_total": 3})
    hello = {"type": "hello", "protocol": 1, "nick": "alice", "ref": "ref-1"}
    moves({"zchat_received_bytes_total": len(compact(hello)) + 2 * len(compact(line)) + len("\n")})


def test_refusals_count_by_code_whoever_answers(net: Net, moves: Moved) -> None:
    alice = net.session("alice")
    alice.refused("bad_command", type="nonsense")
    alice.refused("not_in_room", type="part", room="dev")
    alice.refused("not_in_room", type="part", room="ops")
    alice.send({"type": "say", "n": 1, "room": "dev", "text": ""})
    alice.expect("error", n=1)
    alice.refused("bad_text", type="search", text='"')
    counted = {"bad_command": 1, "not_in_room": 2, "bad_text": 2}
    moves({f"zchat_refused_total/{code}": times for code, times in counted.items()})


def test_questions_count_with_the_time_until_their_answer(net: Net, moves: Moved) -> None:
    alice = net.session("alice")
    alice.say("x", room="dev")
    alice.history(room="dev", after=0)
    alice.ask("found", type="search", text="x")
    moves({"zchat_answer_seconds_count": 2, "zchat_queue_length/questions": 0})


def test_sessions_that_end_count_by_their_reason(net: Net, moves: Moved) -> None:
    alice, bob = net.session("alice"), net.session("bob")
    alice.send({"type": "bye"})
    moves({"zchat_sessions_ended_total/bye": 1, "zchat_sessions": 1, "zchat_sessions_begun_total": 2})
    bob.send({"type": "bye"})
    moves({"zchat_sessions_ended_total/bye": 2, "zchat_sessions": 0})


def test_connections_are_those_of_both_sockets(net: Net, moves: Moved) -> None:
    peers = [net.session(f"nick{k}") for k in range(3)]
    feeds = [net.feed("room/dev/"), net.feed("room/dev/", "broker/")]
    moves({"zchat_connections/commands": len(peers) + len(feeds), "zchat_connections/feed": len(feeds)})


def test_files_count_while_they_come_and_when_they_are_here(net: Net, moves: Moved) -> None:
    alice = net.session("alice")
    content = b"x" * 3_000
    file = hashlib.sha256(content).hexdigest()
    alice.ask("have", type="put", file=file, size=3_000, offset=0, data=b64encode(content[:1_000]).decode())
    moves({"zchat_uploaded_bytes_total": 1_000, "zchat_uploads": 1, "zchat_files": 0})
    alice.ask("have", type="put", file=file, size=3_000, offset=1_000, data=b64encode(content[1_000:]).decode())
    moves({"zchat_uploaded_bytes_total": 3_000, "zchat_uploads": 0, "zchat_files": 1, "zchat_files_bytes": 3_000})
    said = alice.say("look", room="dev", files=[{"file": file, "name": "x.txt"}])
    alice.ask("part", type="get", file=file, offset=0, limit=500)
    moves({"zchat_downloaded_bytes_total": 500})
    alice.ask("ack", type="delete", n=alice.number(), seq=said["seq"])
    moves({"zchat_files": 0, "zchat_files_bytes": 0})


def test_the_page_tells_of_the_broker_its_log_and_its_disk(counting: Broker, net: Net) -> None:
    net.session("alice").say("x" * 10_000, room="dev")
    found = scrape(where(counting))
    assert found[f"zchat_broker_info/{__version__}"] == 1
    assert found["zchat_uptime_seconds"] > 0
    assert found["zchat_stalled"] == found["zchat_members"] == found["zchat_unread_bytes"] == 0
    assert found["zchat_disk_free_bytes"] > 0
    assert found["process_resident_memory_bytes"] > 2**20
    wait_for(lambda: scrape(where(counting))["zchat_log_bytes"] > 10_000, "the log to have grown")


def test_all_numbers_of_the_table_are_there_and_in_the_documents(counting: Broker) -> None:
    _, page = get(where(counting))
    shown = {f.name + "_total" * (f.type == "counter"): f.type for f in text_string_to_metric_families(page)}
    of_a_cluster = {name for name in exposition.BROKER if name.startswith("zchat_replica_")}
    there = {name: kind.type for name, kind in exposition.BROKER.items() if name not in of_a_cluster}
    assert {name: kind for name, kind in shown.items() if name in there} == there
    assert set(shown) - set(there) == {name for name in shown if name.startswith("process_")} | {"zchat_broker_info"}
    rows = re.findall(r"^\| `(zchat_\w+)`(?: by `(\w+)`)? \| (\w+) \| (.*) \|$", PAGE.read_text(), re.MULTILINE)
    documented = [(name, label, type_) for name, label, type_, _ in rows if name in exposition.BROKER]
    assert documented == [(name, kind.label, kind.type) for name, kind in exposition.BROKER.items()]


def test_health_is_ok_until_nothing_can_be_stored(counting: Broker, net: Net) -> None:
    at, alice = where(counting), net.session("alice")
    assert get(at, "/health") == (200, '{"status": "ok"}\n')
    disk = Limited(counting.data)
    alice.say("x", room="dev")
    disk.fill(counting, 0)
    say_until_unavailable(alice)
    code, told = get(at, "/health")
    assert code == 503
    assert json.loads(told)["status"] == "stalled"
    assert str(counting.data) in json.loads(told)["why"]
    wait_for(lambda: scrape(at)["zchat_stalled"] == 1, "the numbers to tell it")
    disk.empty(counting)
    bob = net.session("bob")
    n = bob.number()

    def goes_on() -> bool:
        bob.send({"type": "say", "n": n, "room": "dev", "text": "again"})
        return bool(bob.find(lambda line: line.get("n") == n, "answer")["type"] == "ack")

    wait_for(goes_on, "it to go on")
    assert get(at, "/health")[0] == 200


def test_nothing_but_the_two_pages_is_there_and_only_to_be_read(counting: Broker) -> None:
    at = where(counting)
    assert get(at, "/")[0] == get(at, "/metrics/../etc/passwd")[0] == 404
    assert get(at, "/metrics", "POST")[0] == get(at, "/health", "DELETE")[0] == 405
    assert get(at, "/health", "HEAD") == (200, "")
    assert get(at, "/metrics?x=1")[0] == 200


def test_whoever_asks_slowly_or_often_holds_up_neither_the_broker_nor_others(counting: Broker, net: Net) -> None:
    """Twice as many silent connections as there is room for: they are ended, and meanwhile people talk."""
    host, port = where(counting).rsplit(":", 1)
    alice = net.session("alice")
    with ExitStack() as open_ones:
        for _ in range(2 * metrics.CONNECTIONS):
            silent = open_ones.enter_context(socket.create_connection((host, int(port))))
            silent.send(b"GET /metrics HTTP/1.1\r\nX: ")
        for _ in range(20):
            with promptly(counting):
                assert alice.say("is anybody held up?", room="dev")["type"] == "ack"
        asked = http.client.HTTPConnection(f"{host}:{port}", timeout=4 * metrics.PATIENCE)
        asked.request("GET", "/health")
        assert asked.getresponse().status == 200
        asked.close()


def test_a_request_that_does_not_end_is_not_kept(counting: Broker) -> None:
    host, port = where(counting).rsplit(":", 1)
    with socket.create_connection((host, int(port)), 10) as endless, contextlib.suppress(ConnectionError):
        endless.sendall(b"x" * 2**20)
        assert endless.recv(1) == b""
    assert get(f"{host}:{port}", "/health")[0] == 200


def test_a_port_that_is_taken_is_told_with_who_has_it(counting: Broker, zchat: RunZchat) -> None:
    at = where(counting)
    found = zchat("broker", "--memory", "--listen", "tcp://127.0.0.1:0", "--metrics", at)
    assert found.code == AddressInUseError.exit_code
    assert found.err.startswith(f"zchat: {at} is taken by process {counting.pid} (")
    assert "Choose another address with --metrics" in found.err


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1:99999", "host.invalid:9100", "127.0.0.1:", "127.0.0.1:²"])
def test_an_address_that_cannot_be_used_is_told(zchat: RunZchat, address: str) -> None:
    found = zchat("broker", "--memory", "--listen", "tcp://127.0.0.1:0", "--metrics", address)
    assert found.code == UsageError.exit_code
    assert found.err.startswith(f"zchat: '{address}' is not an address for --metrics")


def test_a_port_alone_is_on_loopback_and_another_address_is_warned_of(start_broker: StartBroker) -> None:
    alone = start_broker("--memory", "--metrics", "0")
    assert where(alone).startswith("127.0.0.1:")
    assert "neither TLS" not in alone.output("stderr")
    open_ = start_broker("--memory", "--metrics", "0.0.0.0:0")
    assert where(open_).startswith("0.0.0.0:")
    assert "has neither TLS nor a password" in open_.output("stderr")
    assert get(where(open_).replace("0.0.0.0", "127.0.0.1"), "/health")[0] == 200


def test_without_the_library_one_sentence_says_what_to_install(
    environment: dict[str, str], tmp_path: Path, zchat: RunZchat
) -> None:
    (tmp_path / "prometheus_client.py").write_text("raise ImportError")
    found = zchat("broker", "--memory", "--metrics", "0", env=environment | {"PYTHONPATH": str(tmp_path)})
    assert found.code == UsageError.exit_code
    assert found.err == (
        "zchat: Numbers for Prometheus need prometheus-client, which is not installed: "
        "pip install 'zchat-zmq[metrics]'.\n"
    )


def test_moderators_are_told_the_numbers_over_the_wire_and_guests_are_not(counting: Broker, net_of: NetOf) -> None:
    guest = net_of(counting).session("gus")
    assert "numbers" not in guest.ask("status", type="status", numbers=True)
    local = next(line.split()[1] for line in counting.output().splitlines() if line.startswith("listen ipc://"))
    feed = next(line.split()[1] for line in counting.output().splitlines() if line.startswith("publish ipc://"))
    owner = Net(local, feed)
    peer = owner.peer()
    assert "numbers" not in peer.ask("status", type="status", numbers=True)  # nobody yet
    peer.hello("olga", device="here")
    assert "numbers" not in peer.ask("status", type="status")
    told = peer.ask("status", type="status", numbers=True)["numbers"]
    assert told["zchat_messages_total"] == 0
    assert told["zchat_members"] == 1
    assert set(told) <= set(exposition.BROKER)
    again = owner.peer()
    assert again.ask("status", type="status", numbers=True)["numbers"]["zchat_members"] == 1  # no session is needed
    owner.close()
    assert owner.faults == []
