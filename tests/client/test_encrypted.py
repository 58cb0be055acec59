"""A client at a broker that has a key: it comes in, it is told why not, and it goes nowhere else."""

import asyncio
import socket
import stat
from pathlib import Path

import pytest
import zmq

from tests.client.encrypted import CODE, Door
from tests.client.real import Script, Watcher, on_loop, until
from tests.client.script import message
from zchat.client import addresses, identity
from zchat.client.client import ChatClient
from zchat.errors import (
    ChangedKeyError,
    EncryptionMismatchError,
    FeedUnreachableError,
    KeyRefusedError,
    RefusedError,
    UnreachableError,
    WrongKeyError,
    ZchatError,
)

LONG = 60.0  # seconds: what comes sooner comes by itself


@pytest.fixture(autouse=True)
def config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return the folder of keys and known brokers of one test."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "zchat"


async def refused(broker: str, patience: float = LONG, rooms: tuple[str, ...] = ()) -> ZchatError:
    """Return the error with which a client ends that cannot come in."""
    with pytest.raises(ZchatError) as error:
        async with ChatClient("alice", broker, rooms=rooms, timeout=patience):
            pass
    return error.value


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


# -- coming in


@on_loop
async def test_a_link_leads_in_and_both_sockets_prove_the_same_key(config: Path) -> None:
    async with Door() as door, ChatClient("alice", f"{door.link}/{CODE}", rooms=["dev"]) as client:
        watcher = Watcher(client)
        door.publish("room/dev/", message(1))
        await until(lambda: watcher.texts() == ["no 1"], "the feed to be heard")
        assert set(door.keys) == {identity.load(config / "identity.key").credential}
        assert len(door.keys) >= 2
        (hello,) = (line for line in door.asked if line["type"] == "hello")
        assert (hello["nick"], hello["invite"], hello["device"]) == ("alice", CODE, addresses.host_name())
        await client.close()
        await watcher.end()


@on_loop
async def test_a_broker_of_the_network_leads_to_no_socket_file_of_this_machine(tmp_path: Path) -> None:
    async with Door(feed=f"ipc://{tmp_path}/feed") as door:
        assert "names it as its feed" in str(await refused(door.link, rooms=("dev",)))


@on_loop
async def test_from_then_on_the_broker_has_a_name_and_nothing_else_is_needed(config: Path) -> None:
    async with Door() as door:
        async with ChatClient("alice", f"{door.link}/{CODE}"):
            pass
        file = config / "brokers.toml"
        assert CODE not in file.read_text()
        assert 'nick = "alice"' in file.read_text()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        async with ChatClient(None, "127.0.0.1", device="laptop") as client:
            assert client.nick == "alice"
        hello = [line for line in door.asked if line["type"] == "hello"][-1]
        assert hello["device"] == "laptop"
        assert not {"invite", "nick"} & hello.keys()
        assert len(set(door.keys)) == 1


@on_loop
async def test_what_is_kept_of_a_broker_is_filed_by_its_key(config: Path) -> None:
    async with Door() as door:
        link = addresses.resolve(f"{door.link}/{CODE}")
        async with ChatClient(None, link):
            pass
        assert addresses.resolve(door.link_of("LOCALHOST").upper()).id == link.id == addresses.resolve("127.0.0.1").id
        assert CODE not in repr(link) + link.id + link.shown


@on_loop
async def test_the_next_endpoint_is_tried_after_one_that_does_not_answer() -> None:
    async with Door() as door:
        link = door.link_of(f"127.0.0.1:{free_port()}", "127.0.0.1")
        async with ChatClient("alice", link, rooms=["dev"], timeout=LONG) as client:
            assert client.rooms == ("dev",)


@on_loop
async def test_a_handshake_put_off_is_tried_again() -> None:
    async with Door() as door:
        door.status["router"] = [300, 200]
        async with ChatClient("alice", door.link, timeout=LONG) as client:
            assert client.online
        assert len(door.keys) == 2


# -- not coming in


@on_loop
async def test_a_broker_with_another_key_is_told_and_hears_nothing() -> None:
    async with Door() as door:
        other, _ = zmq.curve_keypair()
        error = await refused(door.link_of("127.0.0.1", key=other))
        assert (type(error), error.exit_code) == (WrongKeyError, 1)
        assert "is not the broker whose key you have" in str(error)
        assert (door.keys, door.asked) == ([], [])


@on_loop
async def test_a_link_to_what_is_not_encrypted_is_told() -> None:
    async with Script() as plain, Door() as door:
        port = plain.listen.rpartition(":")[2]
        error = await refused(door.link_of(f"127.0.0.1:{port}"))
        assert (type(error), error.exit_code) == (EncryptionMismatchError, 69)
        assert "does not speak encrypted" in str(error)
        assert plain.asked == []


@on_loop
async def test_an_address_of_what_is_encrypted_is_told() -> None:
    async with Door() as door:
        error = await refused(door.listen)
        assert (type(error), error.exit_code) == (EncryptionMismatchError, 69)
        assert "is a broker that is encrypted. Join with its link" in str(error)


@on_loop
async def test_a_key_that_is_not_let_in_is_told() -> None:
    async with Door() as door:
        door.status["router"] = [400]
        error = await refused(door.link)
        assert (type(error), error.exit_code) == (KeyRefusedError, 1)
        assert "does not let the key of this device in (any more)" in str(error)


@on_loop
async def test_nobody_there_is_told_as_ever() -> None:
    async with Door() as door:
        error = await refused(door.link_of(f"127.0.0.1:{free_port()}"), patience=0.5)
        assert (type(error), error.exit_code) == (UnreachableError, 69)
        assert "No broker answers at 127.0.0.1:" in str(error)
        assert "Ask whoever runs it" in str(error), "and not: start one"


@on_loop
async def test_a_feed_alone_that_does_not_let_the_key_in_is_told() -> None:
    async with Door() as door:
        door.status["pub"] = [400]
        error = await refused(door.link, patience=3.0, rooms=("dev",))
        assert (type(error), error.exit_code) == (FeedUnreachableError, 69)
        assert "(it does not let this key in)" in str(error)


@pytest.mark.parametrize(
    ("code", "what_to_do"),
    [
        ("not_member", "ask somebody who is in for an invitation"),
        ("banned", "ask a moderator or an owner"),
        ("bad_invite", "said by the broker"),
        ("forbidden", "said by the broker"),
    ],
)
def test_a_refused_hello_is_final_and_says_what_to_do(code: str, what_to_do: str) -> None:
    @on_loop
    async def test() -> None:
        async with Door() as door:
            door.refusal = code
            error = await refused(door.link)
            assert isinstance(error, RefusedError)
            assert (error.code, error.exit_code) == (code, 1)
            assert what_to_do in str(error).lower()
            assert door.count("hello") == 1

    test()


@on_loop
async def test_a_link_with_another_key_for_a_known_broker_is_not_followed(config: Path) -> None:
    async with Door() as door:
        async with ChatClient("alice", door.link):
            pass
        asked = len(door.keys)
        other, _ = zmq.curve_keypair()
        with pytest.raises(ChangedKeyError) as error:
            ChatClient("alice", door.link_of("127.0.0.1", key=other))
        port = door.listen.rpartition(":")[2]
        assert f"remove the entry that begins in line 1 of {config / 'brokers.toml'}" in str(error.value)
        assert f'["127.0.0.1:{port}"]' == (config / "brokers.toml").read_text().splitlines()[error.value.line - 1]
        assert (error.value.exit_code, len(door.keys)) == (1, asked)


# -- as the member that the connection proves


@on_loop
async def test_no_later_hello_names_the_nick_of_before() -> None:
    """It may have been changed from another device meanwhile."""
    async with Door() as door, ChatClient(None, door.link, device="laptop") as client:
        door.reply({"type": "error", "code": "no_session", "message": "who is this?"})
        await asyncio.sleep(0)
        door.fields["nick"] = "alicia"
        await until(lambda: client.nick == "alicia", "the new nick")
        assert all("nick" not in line for line in door.asked if line["type"] == "hello")


@on_loop
async def test_at_a_broker_that_knows_no_devices_one_is_a_guest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "carol")

    class Before(Script):
        def _take(self, line: dict[str, object]) -> None:
            self.fields["nick"] = line.get("nick") if line["type"] == "hello" else None
            super()._take(line)

    async with Before() as broker, ChatClient(None, broker.listen, device="laptop") as client:
        assert client.nick == "carol"
        assert [line["type"] for line in broker.asked[:3]] == ["hello", "bye", "hello"]
