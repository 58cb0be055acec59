"""What a broker may be called by, what is known of it afterwards, and which one it is when none is named."""

import socket
import stat
import threading
from pathlib import Path

import pytest

from zchat.client.addresses import Address, link_for_others, resolve
from zchat.client.known_brokers import KnownBroker, KnownBrokers, name_of
from zchat.errors import BadEndpointError, BadLinkError, ChangedKeyError, StorageError, UnknownBrokerError
from zchat.protocol import links

KEY, OTHER = bytes(range(32)), bytes(32)
CODE = links.encode_code(bytes(range(16)))
HOST = "chat.example.org"


def link(host: str = HOST, key: bytes = KEY, code: str | None = None) -> str:
    return links.BrokerLink(links.parse_hosts(host), key, code).text


@pytest.fixture
def known(tmp_path: Path) -> KnownBrokers:
    return KnownBrokers(tmp_path / "config" / "brokers.toml")


def learn(known: KnownBrokers, text: str, nick: str | None = None) -> Address:
    """Come in by a link."""
    address = resolve(text, (known,))
    address.remember(nick)
    return address


def test_an_address_is_what_it_was(known: KnownBrokers) -> None:
    for endpoint in ("tcp://127.0.0.1:5555", "ipc:///run/zchat.sock", "inproc://x"):
        found = resolve(endpoint, (known,))
        assert (found.endpoints, found.shown, found.id, found.key) == ((endpoint,), endpoint, endpoint, None)
        found.remember("alice")
    assert [resolve(each, (known,)).proves for each in ("tcp://h:1", "ipc:///x", link())] == [False, True, True]
    assert not known.path.exists()


def test_a_link_becomes_a_name(known: KnownBrokers) -> None:
    learn(known, link(code=CODE), "alice")
    assert known.load() == {HOST: KnownBroker((f"tcp://{HOST}:5555",), links.key_text(KEY), "alice")}
    found = resolve(HOST.upper(), (known,))
    assert (found.shown, found.key, found.code) == (HOST, KEY, None)
    assert CODE not in known.path.read_text()
    assert stat.S_IMODE(known.path.stat().st_mode) == 0o600


@pytest.mark.parametrize("pasted", ["<{}>", " {}\n", "({})", "{}.", "{},", "{}/", '"{}"'])
def test_what_comes_along_when_a_link_is_copied_does_not_matter(known: KnownBrokers, pasted: str) -> None:
    whole = link(code=CODE)
    assert resolve(pasted.format(whole), (known,)) == resolve(whole, (known,))


def test_a_port_that_is_not_the_usual_one_is_part_of_the_name_and_may_be_left_away(known: KnownBrokers) -> None:
    learn(known, link(f"{HOST}:7000"))
    assert resolve(HOST, (known,)).shown == f"{HOST}:7000"
    learn(known, link(f"{HOST}:7001", OTHER))
    with pytest.raises(UnknownBrokerError, match=f"Known are: {HOST}:7000, {HOST}:7001"):
        resolve(HOST, (known,))
    assert resolve(f"{HOST}:7001", (known,)).key == OTHER
    assert [name_of(links.parse(link(each))) for each in ("[::1]", "[::1]:7")] == ["::1", "[::1]:7"]


def test_what_is_new_about_a_broker_is_kept_and_a_nick_is_not_forgotten(known: KnownBrokers) -> None:
    learn(known, link(), "alice")
    learn(known, link(f"{HOST},b.example.org"))
    learn(known, link("other.example.org", OTHER))
    assert known.load()[HOST].endpoints == (f"tcp://{HOST}:5555", "tcp://b.example.org:5555")
    assert known.load()[HOST].nick == "alice"
    assert list(known.load()) == [HOST, "other.example.org"]


def test_the_key_that_is_known_counts_also_among_several_hosts(known: KnownBrokers) -> None:
    learn(known, link("other.example.org", OTHER))
    learn(known, link())
    before = known.path.read_bytes()
    for text in (link(key=OTHER), link(f"new.example.org,{HOST}", OTHER, CODE)):
        with pytest.raises(ChangedKeyError) as error:
            resolve(text, (known,))
        assert error.value.name == HOST
        lines = known.path.read_text().splitlines()
        assert lines[error.value.line - 1] == f'["{HOST}"]'
        assert CODE not in str(error.value)
    assert known.path.read_bytes() == before
    assert resolve(link("other.example.org", OTHER), (known,)).key == OTHER


def test_what_is_nothing_is_told(known: KnownBrokers) -> None:
    with pytest.raises(BadLinkError, match="typo"):
        resolve(link()[:-1] + "a", (known,))
    with pytest.raises(BadEndpointError, match="no broker is known here by that name"):
        resolve("nowhere", (known,))
    with pytest.raises(BadEndpointError, match="neither tcp:// nor ipc://"):
        resolve("http://nowhere", (known,))


@pytest.mark.parametrize(
    "content",
    [
        "[",
        "[x]\nendpoints = []\nkey = 'key:'\n",
        f"[x]\nendpoints = ['tcp://h']\nkey = '{links.key_text(KEY)}'\n",
        "a = 1",
    ],
)
def test_a_damaged_file_is_told_and_left_as_it_is(known: KnownBrokers, content: str) -> None:
    known.path.parent.mkdir()
    known.path.write_text(content)
    for broker in ("x", link()):
        with pytest.raises(StorageError, match="does not hold the brokers known here"):
            resolve(broker, (known,))
    assert known.path.read_text() == content
    assert resolve("tcp://127.0.0.1:5555", (known,)).key is None  # needs no file


def test_many_that_learn_at_the_same_time_keep_all(known: KnownBrokers) -> None:
    names = [f"h{number}.example.org" for number in range(20)]
    threads = [threading.Thread(target=learn, args=(known, link(name))) for name in names]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(known.load()) == sorted(names)


def test_a_file_that_cannot_be_written_keeps_nobody_out(tmp_path: Path) -> None:
    (tmp_path / "brokers.toml.lock").mkdir()
    learn(KnownBrokers(tmp_path / "brokers.toml"), link())
    assert not (tmp_path / "brokers.toml").exists()


def test_without_a_name_it_is_the_one_that_answers_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    path = tmp_path / "zchat.sock"
    assert resolve().shown == "tcp://127.0.0.1:5555"
    with socket.socket(socket.AF_UNIX) as broker:
        broker.bind(str(path))
        assert resolve().shown == "tcp://127.0.0.1:5555"  # left behind by one that was killed
        broker.listen()
        assert resolve().shown == f"ipc://{path}"
        monkeypatch.setenv("ZCHAT_BROKER", "tcp://127.0.0.1:7")
        assert resolve().shown == "tcp://127.0.0.1:7"


def test_without_a_runtime_folder_it_is_in_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "gone"))
    monkeypatch.setenv("ZCHAT_DATA", str(tmp_path))
    with socket.socket(socket.AF_UNIX) as broker:
        broker.bind(str(tmp_path / "zchat.sock"))
        broker.listen()
        assert resolve().shown == f"ipc://{tmp_path}/zchat.sock"


def test_the_link_for_others_is_one_that_leads_here_from_elsewhere() -> None:
    local, other = link("127.0.0.1:6665,localhost,[::1]"), link("chat.example.net")
    assert resolve(link(code=CODE)).link == link(), "a code is for one only"
    assert resolve("tcp://127.0.0.1:5555").link is None
    for used, told, best in (
        (link(), [other], link()),
        (local, [other], other),
        (local, [], local),
        (None, ["nonsense", "zchat://", local, link("h", code=CODE)], link("h")),
        (None, [local], local),
        (None, ["tcp://127.0.0.1:1"], None),
    ):
        assert link_for_others(used, told) == best
