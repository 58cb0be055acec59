"""The key of a device: made once, read by nobody else, and never written over."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import zmq

from zchat.client import identity
from zchat.errors import FolderError, StorageError
from zchat.protocol import links


def test_it_is_made_once_and_private_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "config" / "identity.key"
    before = os.umask(0)
    try:
        first = identity.load(path)
    finally:
        os.umask(before)
    assert identity.load(path) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [each.name for each in path.parent.iterdir()] == ["identity.key"]


def test_it_is_a_key_pair_that_libzmq_takes(tmp_path: Path) -> None:
    found = identity.load(tmp_path / "identity.key")
    assert zmq.curve_public(links.z85(found.secret)) == links.z85(found.public)
    assert links.key_bytes(found.credential) == found.public
    assert links.key_text(found.secret)[4:] not in repr(found) + str(found)


def test_processes_that_start_at_the_same_time_have_the_same_key(tmp_path: Path) -> None:
    path = tmp_path / "identity.key"
    program = f"from pathlib import Path; from zchat.client import identity; print(identity.load(Path({str(path)!r})))"
    command = (sys.executable, "-c", program)
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    assert {each.communicate()[0] for each in started} == {f"{identity.load(path)}\n"}
    assert [each.name for each in tmp_path.iterdir()] == ["identity.key"]


def test_one_that_others_may_read_is_tightened(tmp_path: Path) -> None:
    path = tmp_path / "identity.key"
    before = identity.load(path)
    path.chmod(0o644)
    assert identity.load(path) == before
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def other_secret(text: str) -> str:
    _, secret = zmq.curve_keypair()
    return text.split("secret", maxsplit=1)[0] + f'secret = "{links.key_text(links.from_z85(secret))[4:]}"\n'


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: "",
        lambda text: text[: len(text) // 2],
        lambda _: "-----BEGIN OPENSSH PRIVATE KEY-----\n",
        lambda text: text.replace("key:", "key:a"),
        other_secret,
        lambda text: text.replace("secret", "public", 1),
    ],
    ids=["empty", "half", "of another program", "a longer key", "two keys of two pairs", "no secret"],
)
def test_a_damaged_one_is_told_and_left_as_it_is(tmp_path: Path, damage: Callable[[str], str]) -> None:
    path = tmp_path / "identity.key"
    identity.load(path)
    path.write_text(damage(path.read_text()))
    before = path.read_bytes()
    with pytest.raises(StorageError, match="is no key of zchat, or a damaged one"):
        identity.load(path)
    assert path.read_bytes() == before


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FolderError, match="ZCHAT_IDENTITY"):
        identity.load(tmp_path / "file" / "identity.key")


def test_the_environment_names_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert identity.default_path().name == "identity.key"
    monkeypatch.setenv("ZCHAT_IDENTITY", str(tmp_path / "of a bot"))
    assert identity.default_path() == tmp_path / "of a bot"
