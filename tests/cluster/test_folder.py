"""The folder of a cluster: what is in it, who reads it, and what is told of mistakes."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from zchat.broker import keys
from zchat.broker.cluster import folder
from zchat.broker.cluster.folder import Machine
from zchat.errors import FolderError, UsageError, ZchatError

PORTS = Machine("", "", 5555, 4222, 6222)
THREE = ["a=10.0.0.1", "b=10.0.0.2", "c=chat.example.org"]


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    folder.create(tmp_path / "team", folder.plan(THREE, PORTS))
    return tmp_path / "team"


def modes(where: Path) -> set[tuple[bool, int]]:
    return {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in [where, *where.rglob("*")]}


@pytest.mark.usefixtures("open_umask")
def test_all_of_it_is_private_whatever_the_umask(tmp_path: Path) -> None:
    folder.create(tmp_path / "team", folder.plan(THREE, PORTS))
    folder.add(tmp_path / "team", folder.plan(["d=10.0.0.4"], PORTS))
    assert modes(tmp_path / "team") == {(True, 0o700), (False, 0o600)}


def test_each_machine_gets_its_certificate_the_common_key_and_not_the_authoritys(made: Path) -> None:
    each = {name: folder.read(made / name) for name in "abc"}
    assert {found.me.host for found in each.values()} == {"10.0.0.1", "10.0.0.2", "chat.example.org"}
    assert len({(made / name / "node.crt").read_bytes() for name in each}) == 3
    assert len({keys.read(made / name).raw for name in each}) == 1
    assert not list(made.glob("*/ca.key"))
    assert each["b"].servers == ("tls://10.0.0.2:4222", "tls://10.0.0.1:4222", "tls://chat.example.org:4222")
    assert each["b"].hosts == ("10.0.0.1:5555", "10.0.0.2:5555", "chat.example.org:5555")
    each["c"].tls()


def test_machines_at_one_host_have_ports_that_are_ten_apart() -> None:
    machines = folder.plan(["a=127.0.0.1", "x=10.0.0.1", "b=127.0.0.1", "c=127.0.0.1"], PORTS)
    assert [(each.broker, each.node, each.routes) for each in machines] == [
        (5555, 4222, 6222),
        (5555, 4222, 6222),
        (5565, 4232, 6232),
        (5575, 4242, 6242),
    ]


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["a"], "'a' is no machine. Write NAME=HOST"),
        (["a="], "'a=' is no machine. Write NAME=HOST"),
        (["A b=10.0.0.1"], "'A b' cannot be the name of a machine"),
        (["../b=10.0.0.1"], "'../b' cannot be the name of a machine"),
        (["-b=10.0.0.1"], "'-b' cannot be the name of a machine"),
        (["a=10.0.0.1", "a=10.0.0.2"], "two machines a"),
        (["a=what is that"], "'what is that' cannot be where a is: this is no name of a host"),
        (["a=10.0.0.1,10.0.0.2"], "ports are given by"),
        (["a=10.0.0.1:99"], "ports are given by --port"),
        ([f"n{k}=10.0.0.{k}" for k in range(17)], "at most 16"),
    ],
)
def test_what_is_wrong_with_machines_is_told(texts: list[str], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        folder.plan(texts, PORTS)
    assert told in str(caught.value)


def test_an_address_of_ipv6_is_taken_with_and_without_brackets() -> None:
    found = folder.plan(["a=fd00::1", "b=[fd00::2]"], PORTS)
    assert [each.host for each in found] == ["fd00::1", "fd00::2"]
    assert folder.at(found[0].host, 4222) == "[fd00::1]:4222"


def test_a_folder_that_is_there_is_not_touched(made: Path) -> None:
    before = (made / "ca.key").read_bytes()
    with pytest.raises(UsageError, match="is there already, and nothing in it was touched"):
        folder.create(made, folder.plan(THREE, PORTS))
    assert (made / "ca.key").read_bytes() == before


def test_a_machine_is_added_and_the_one_that_it_replaces_is_dropped(made: Path) -> None:
    settings = folder.whole(made)
    folder.add(made, folder.plan(["d=10.0.0.4"], PORTS, settings.machines), ["c"])
    for name in "abd":
        assert [each.name for each in folder.read(made / name).settings.machines] == ["a", "b", "d"]
    assert keys.read(made / "d").raw == keys.read(made / "a").raw
    folder.read(made / "d").tls()
    with pytest.raises(UsageError, match="two machines a"):
        folder.plan(["a=10.0.0.5"], PORTS, settings.machines)
    with pytest.raises(UsageError, match="no machine z"):
        folder.add(made, (), ["z"])
    with pytest.raises(UsageError, match="machines are added there, where that was run"):
        folder.add(made / "a", folder.plan(["e=10.0.0.5"], PORTS))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("absent", "there is no cluster.json in it. Choose another one: `zchat cluster init` makes them."),
        ("garbage", "cluster.json cannot be read"),
        ("stranger", "which is not among its machines"),
        ("above", "is the folder of the whole cluster. Give that of a machine"),
    ],
)
def test_a_folder_that_is_none_of_a_machine_is_told(made: Path, change: str, told: str) -> None:
    where = made if change == "above" else made / "a"
    settings = where / "cluster.json"
    if change == "absent":
        settings.unlink()
    elif change == "garbage":
        settings.write_text("{")
    elif change == "stranger":
        settings.write_text(settings.read_text().replace('"me": "a"', '"me": "z"'))
    with pytest.raises(ZchatError) as caught:
        folder.read(where)
    assert told in str(caught.value)
    assert isinstance(caught.value, UsageError if change == "above" else FolderError)


def test_a_key_that_is_no_key_is_told(made: Path) -> None:
    (made / "a" / "node.key").write_text("nothing")
    with pytest.raises(FolderError):
        folder.read(made / "a").tls()
