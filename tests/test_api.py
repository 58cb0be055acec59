"""`import zchat`: what it offers, that it costs nothing until it is used, and that type checkers see all of it."""

import inspect
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import zchat
from zchat.client.blocking import BlockingClient
from zchat.client.sync_administration import SyncAdministration, SyncRoomAccess
from zchat.client.sync_files import SyncFiles
from zchat.client.sync_messages import SyncMessages

USER = Path(__file__).parent / "typing" / "user.py"
MODULES = (
    "zchat.errors.base",
    "zchat.errors.cluster",
    "zchat.errors.connection",
    "zchat.errors.refused",
    "zchat.errors.storage",
    "zchat.errors.usage",
    "zchat.protocol.messages.base",
    "zchat.protocol.messages.commands",
    "zchat.protocol.messages.replies",
    "zchat.protocol.messages.events",
    "zchat.client.core.notices",
)


def run(*command: str | Path, folder: Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_record_notice_and_error_is_offered() -> None:
    theirs = {
        name: value
        for module in map(import_module, MODULES)
        for name, value in vars(module).items()
        if inspect.isclass(value) and value.__module__ == module.__name__
    }
    assert {name: getattr(zchat, name) for name in theirs} == theirs
    assert set(theirs) <= set(zchat.__all__)
    assert [name for name, value in theirs.items() if not value.__doc__] == [], "each tells what it is"


def test_all_that_is_offered_is_there_and_listed() -> None:
    assert sorted(set(zchat.__all__)) == sorted(zchat.__all__)
    assert set(zchat.__all__) <= set(dir(zchat))
    everything: dict[str, Any] = {}
    exec("from zchat import *", everything)
    assert set(zchat.__all__) <= set(everything)
    with pytest.raises(AttributeError, match="has no attribute 'Nonsense'"):
        _ = zchat.Nonsense  # type: ignore[attr-defined]


def test_a_name_is_imported_when_it_is_used() -> None:
    program = """
import sys, zchat
dir(zchat)
assert [name for name in sys.modules if name.startswith("zchat.")] == ["zchat.version"]
zchat.Online, zchat.Message, zchat.ZchatError
assert "asyncio" not in sys.modules, "the records are pure"
zchat.ChatClient
assert "zchat.broker" not in sys.modules and "zchat.bots" not in sys.modules
"""
    run(sys.executable, "-c", program, folder=Path.cwd())


def test_the_synchronous_client_takes_what_the_other_one_takes() -> None:
    methods = [name for name, value in vars(zchat.SyncClient).items() if inspect.isfunction(value) and name[0] != "_"]
    for name in ["__init__", *methods]:
        ours, theirs = (inspect.signature(getattr(each, name)) for each in (zchat.SyncClient, zchat.ChatClient))
        if name == "close":
            continue
        assert ours.parameters == theirs.parameters, name
    assert set(methods) >= {name for name in vars(BlockingClient) if name[0] != "_"}


@pytest.mark.parametrize(
    ("synchronous", "other"),
    [
        (SyncAdministration, zchat.Administration),
        (SyncRoomAccess, zchat.RoomAccess),
        (SyncMessages, zchat.Messages),
        (SyncFiles, zchat.Files),
    ],
)
def test_the_synchronous_administration_takes_what_the_other_one_takes(synchronous: type, other: type) -> None:
    ours, theirs = (
        {name: value for name, value in vars(kind).items() if name[0] != "_"} for kind in (synchronous, other)
    )
    assert ours.keys() == theirs.keys()
    for name, method in ours.items():
        assert inspect.signature(method).parameters == inspect.signature(theirs[name]).parameters, name


PUBLIC = [zchat.ChatClient, zchat.SyncClient, zchat.Bot, zchat.ChatServer, zchat.Page]
PUBLIC += [zchat.Administration, zchat.RoomAccess, SyncAdministration, SyncRoomAccess, zchat.Messages, SyncMessages]
PUBLIC += [zchat.Files, SyncFiles]


@pytest.mark.parametrize("kind", PUBLIC)
def test_whatever_is_public_is_documented(kind: type) -> None:
    public = {name: inspect.getattr_static(kind, name) for name in dir(kind) if not name.startswith("_")}
    said = {name: value for name, value in public.items() if callable(value) or isinstance(value, property)}
    assert said
    assert [name for name, value in said.items() if not inspect.getdoc(value)] == []


def test_a_users_script_does_what_it_says(tmp_path: Path) -> None:
    run(sys.executable, USER, tmp_path / "data", folder=tmp_path)


def test_mypy_understands_a_users_script(tmp_path: Path) -> None:
    """From elsewhere, as a user has it: there zchat is a package that is installed, and mypy reads its types only."""
    script = shutil.copy(USER, tmp_path)
    options = ("--strict", "--config-file=", f"--cache-dir={tmp_path / 'cache'}")
    run(sys.executable, "-m", "mypy", *options, script, folder=tmp_path)


def test_pyright_understands_a_users_script(tmp_path: Path) -> None:
    if shutil.which("node") is None:
        pytest.skip("needs node, which pyright runs on")
    script = shutil.copy(USER, tmp_path)
    run(sys.executable, "-m", "pyright", "--pythonpath", sys.executable, script, folder=tmp_path)
