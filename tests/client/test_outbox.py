"""The outbox on a real disk: what it keeps, what it survives, and what it leaves alone."""

import os
import resource
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from zchat.client.core.phrases import phrase
from zchat.client.outbox import COMPACT_AT, TIDY_AT, Outbox, choose
from zchat.errors import DiskFullError, FolderError, InUseError, StorageError
from zchat.protocol import messages as m
from zchat.protocol import wire


def say(n: int, text: str = "hi") -> bytes:
    return wire.encode(m.Say(n=n, room="dev", text=text))


def numbers(outbox: Outbox) -> list[int]:
    return [command.n for command in outbox.commands]


def reopened(outbox: Outbox) -> Outbox:
    outbox.close()
    return Outbox(outbox.path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outboxes" / "alice.outbox"


def test_a_new_outbox_is_empty_and_has_a_random_client(path: Path) -> None:
    outbox, other = Outbox(path), Outbox(path.with_name("other"))
    assert (outbox.n, outbox.commands) == (0, [])
    assert len(outbox.client) == 32
    assert outbox.client != other.client
    outbox.close()
    other.close()


def test_what_was_kept_and_not_answered_comes_back(path: Path) -> None:
    outbox = Outbox(path)
    client = outbox.client
    outbox.keep([say(1), say(2)])
    outbox.keep([say(3, "drei\nü")])
    outbox.settle(1)
    outbox = reopened(outbox)
    assert (outbox.client, outbox.n, numbers(outbox)) == (client, 1, [2, 3])
    assert outbox.commands[1] == m.Say(n=3, room="dev", text="drei\nü")
    outbox.close()


def test_topics_are_kept_too(path: Path) -> None:
    outbox = Outbox(path)
    outbox.keep([wire.encode(m.SetTopic(n=1, room="dev", text="t"))])
    outbox = reopened(outbox)
    assert outbox.commands == [m.SetTopic(n=1, room="dev", text="t")]
    outbox.close()


NUMBERED: list[m.NumberedCommand] = [
    m.Invite(n=1, hash="a" * 64, uses=3, expires=datetime(2027, 1, 1, tzinfo=UTC), rooms=("+ops",), self_=True),
    m.Revoke(n=1, hash="a" * 64),
    m.SetRole(n=1, from_="b" * 16, role="moderator"),
    m.RemoveCredential(n=1, from_="b" * 16, remove="uid:1000@host"),
    m.Ban(n=1, credential="uid:1000@host", until=datetime(2027, 1, 1, tzinfo=UTC), reason="spam"),
    m.Unban(n=1, from_="b" * 16),
    m.Mute(n=1, from_="b" * 16, room="dev"),
    m.Unmute(n=1, from_="b" * 16),
    m.SetAccess(n=1, room="+ops", admit="b" * 16),
    m.Edit(n=1, seq=7, text="better"),
    m.Delete(n=1, seq=7, reason="wrong room"),
    m.React(n=1, seq=7, emoji="👍"),
    m.Pin(n=1, seq=7),
    m.MarkRead(n=1, room="dev", seq=7),
    m.Unschedule(n=1, id=7),
]


def test_every_kind_of_numbered_command_is_one_of_these() -> None:
    assert {m.Say, m.SetTopic, *map(type, NUMBERED)} == set(m.NumberedCommand.__args__)


@pytest.mark.parametrize("command", NUMBERED)
def test_whatever_is_numbered_is_kept_and_has_a_name_for_people(path: Path, command: m.NumberedCommand) -> None:
    outbox = Outbox(path)
    outbox.keep([wire.encode(command)])
    outbox = reopened(outbox)
    assert outbox.commands == [command]
    outbox.close()
    assert len(phrase(command)) > 5
    assert "None" not in phrase(command)


def test_an_outbox_of_an_earlier_version_is_read(path: Path) -> None:
    path.parent.mkdir()
    header = b'{"client":"%s","n":3,"zchat":"outbox","epochs":[["%s",1]]}' % (b"a" * 32, b"e" * 16)
    said = (
        b'{"type":"say","n":4,"text":"hi","room":"dev"}\n{"answered":4}\n{"type":"topic","n":5,"room":"dev","text":"t"}'
    )
    path.write_bytes(header + b"\n" + said + b"\n")
    outbox = Outbox(path)
    assert (outbox.n, outbox.commands) == (4, [m.SetTopic(n=5, room="dev", text="t")])
    outbox.close()


def test_it_survives_being_opened_twice_over(path: Path) -> None:
    outbox = Outbox(path)
    outbox.keep([say(1), say(2)])
    outbox = reopened(reopened(outbox))
    outbox.keep([say(3)])
    outbox.settle(2)
    outbox = reopened(outbox)
    assert (outbox.n, numbers(outbox)) == (2, [3])
    outbox.close()


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_last_line_cut_short_is_ignored(path: Path, cut: int) -> None:
    outbox = Outbox(path)
    outbox.keep([say(1), say(2)])
    outbox.close()
    path.write_bytes(path.read_bytes()[:-cut])
    outbox = Outbox(path)
    assert numbers(outbox) == [1]
    outbox.close()


def test_it_does_not_grow_while_all_is_answered(path: Path) -> None:
    outbox = Outbox(path)
    for n in range(1, 5_000):
        outbox.keep([say(n)])
        outbox.settle(n)
    assert path.stat().st_size < TIDY_AT + 1_000
    outbox = reopened(outbox)
    assert outbox.n == 4_999
    outbox.close()


def test_it_does_not_grow_much_while_something_is_unanswered(path: Path) -> None:
    outbox = Outbox(path)
    text = "x" * 10_000
    outbox.keep([say(1, text)])
    for n in range(2, 300):
        outbox.keep([say(n, text)])
        outbox.settle(n - 1)
    assert path.stat().st_size < COMPACT_AT + 30_000
    outbox = reopened(outbox)
    assert (outbox.n, numbers(outbox)) == (298, [299])
    outbox.close()


def test_a_rewrite_replaces_everything(path: Path) -> None:
    outbox = Outbox(path)
    outbox.keep([say(1), say(2)])
    outbox.rewrite("e" * 32, 0, [say(1, "was two")])
    outbox.keep([say(2, "new")])
    outbox = reopened(outbox)
    assert (outbox.client, outbox.n) == ("e" * 32, 0)
    assert [phrase(command) for command in outbox.commands] == ["was two", "new"]
    outbox.close()


def test_a_second_opening_tells_who_has_it(path: Path) -> None:
    outbox = Outbox(path)
    with pytest.raises(InUseError) as caught:
        Outbox(path)
    assert caught.value.pid == os.getpid()
    outbox.close()
    Outbox(path).close()


def test_a_process_that_is_killed_leaves_what_it_kept_and_no_lock(path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from zchat.client.outbox import Outbox\n"
        "outbox = Outbox(Path(sys.argv[1])); outbox.keep([sys.argv[2].encode()]); print('kept', flush=True)\n"
        "time.sleep(60)"
    )
    with subprocess.Popen((sys.executable, "-c", code, str(path), say(1).decode()), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"kept\n"
        with pytest.raises(InUseError) as caught:
            Outbox(path)
        assert caught.value.pid == process.pid
        process.send_signal(signal.SIGKILL)
        process.wait()
    outbox = Outbox(path)
    assert numbers(outbox) == [1]
    outbox.close()


@pytest.mark.parametrize(
    "content",
    [
        b"dear diary\n",
        b'{"client":"short","n":0,"zchat":"outbox"}\n',
        b'{"n":3}\n',
        b'{"client":"' + b"a" * 32 + b'","n":0,"zchat":"something else"}\n',
        b'{"client":"' + b"a" * 32 + b'","n":0,"zchat":"outbox"}\nnonsense\n',
        b"\x00\xff\n",
        b'{"client":"' + b"a" * 32 + b'","n":0,"zchat":"outbox","later":' + b"[" * 9_999 + b"\n",
    ],
)
def test_a_file_that_is_not_ours_is_refused_and_left_untouched(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(StorageError, match="no outbox"):
        Outbox(path)
    assert path.read_bytes() == content


def test_only_its_owner_can_read_it(path: Path) -> None:
    Outbox(path).close()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FolderError):
        Outbox(tmp_path / "file" / "alice.outbox")
    with pytest.raises(FolderError):
        choose(tmp_path / "file", "tcp://127.0.0.1:5555", "alice")


def test_a_full_disk_is_told(path: Path) -> None:
    outbox = Outbox(path)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, outbox._file)
    os.close(full)
    with pytest.raises(DiskFullError):
        outbox.keep([say(1)])
    outbox.close()


def test_a_disk_that_takes_only_a_part_of_a_line_is_told(path: Path) -> None:
    outbox = Outbox(path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, hard))
    try:
        with pytest.raises(StorageError, match="cannot be written"):
            outbox.keep([say(1)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    outbox = reopened(outbox)
    assert numbers(outbox) == [], "it was not kept, so it is not sent"
    outbox.close()


def test_the_first_free_outbox_of_a_nick_and_broker_is_chosen(tmp_path: Path) -> None:
    def chosen(broker: str = "tcp://127.0.0.1:5555", nick: str = "alice") -> Path:
        return choose(tmp_path, broker, nick)

    first = Outbox(chosen())
    second = Outbox(chosen())
    assert first.path != second.path
    assert chosen("tcp://127.0.0.1:7777") not in (first.path, second.path)
    assert chosen(nick="bob") not in (first.path, second.path)
    first.close()
    assert chosen() == first.path
    second.close()


def test_no_nick_leads_out_of_the_folder(tmp_path: Path) -> None:
    for nick in ("..", "a/b", "", "ü", "~"):
        assert choose(tmp_path, "tcp://127.0.0.1:5555", nick).parent == tmp_path
