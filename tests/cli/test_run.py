"""Whatever a command ends with becomes one sentence and an exit code; a traceback is for the log file."""

import errno
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import click
import pytest

from tests.conftest import ZCHAT, Broker, RunZchat, StartBroker
from zchat import cli, errors
from zchat.version import __version__


@pytest.fixture
def ending(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """Return a module whose command `boom` raises what is put into `boom.error`."""
    module = ModuleType("zchat_boom")
    module.__dict__["error"] = None

    @click.command()
    def boom() -> None:
        raise module.__dict__["error"]

    module.__dict__["boom"] = boom
    monkeypatch.setitem(sys.modules, "zchat_boom", module)
    monkeypatch.setitem(cli.COMMANDS, "boom", "zchat_boom:boom")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ZCHAT_LOG_DIR", str(tmp_path / "log"))
    return module


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (errors.NickTakenError("alice"), 1, "The nick alice is taken. Choose another"),
        (errors.NickTakenError("a", "the nick a looks like o"), 1, "The nick a looks like o. Choose another"),
        (errors.RefusedError("forbidden", "no\x1b[2J"), 1, "no\\x1b[2J"),
        (errors.BadEndpointError("x", "why"), 2, "tcp://127.0.0.1:5555"),
        (errors.UnreachableError("tcp://127.0.0.1:1"), 69, "zchat broker"),
        (errors.FeedUnreachableError("tcp://127.0.0.1:1"), 69, "--feed"),
        (errors.DiskFullError(Path("/data")), 74, "is full"),
        (OSError(errno.ENOSPC, "No space left on device"), 74, "No space left on device"),
        (PermissionError(errno.EACCES, "Permission denied", "/etc/x"), 74, "Permission denied: /etc/x"),
        (errors.TimedOutError("no answer", 3), 75, "after 3 s"),
        (KeyboardInterrupt(), 130, ""),
        (click.UsageError("wrong"), 2, "wrong"),
    ],
)
def test_each_error_has_its_sentence_and_its_code(
    ending: ModuleType, capfd: pytest.CaptureFixture[str], error: BaseException, code: int, said: str
) -> None:
    ending.__dict__["error"] = error
    assert cli.run(["boom"]) == code
    out, err = capfd.readouterr()
    assert out == ""
    assert said in err
    assert "Traceback" not in err


def test_what_nobody_foresaw_goes_to_the_log_file(
    ending: ModuleType, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    ending.__dict__["error"] = ZeroDivisionError("inner")
    assert cli.run(["boom"]) == 1
    err = capfd.readouterr().err
    assert "ZeroDivisionError" in err
    assert str(tmp_path / "log" / "client.log") in err
    assert "Traceback" not in err
    assert "Traceback" in (tmp_path / "log" / "client.log").read_text()


def test_the_version_is_told(zchat: RunZchat) -> None:
    assert zchat("--version").out == f"zchat {__version__}\n"


def test_no_command_is_cut_short_where_help_tells_of_all(zchat: RunZchat) -> None:
    assert "..." not in zchat("-h", env={"COLUMNS": "80"}).out.partition("Commands:")[2].partition("Examples:")[0]


def test_help_tells_every_command_and_the_exit_codes(zchat: RunZchat) -> None:
    result = zchat("-h")
    assert result.code == 0
    assert all(f"\n  {name}" in result.out for name in cli.COMMANDS)
    for code in (0, 1, 2, 69, 74, 75, 130):
        assert re.search(rf"^ +{code}  \w", result.out, re.MULTILINE)


def test_an_unknown_command_is_wrong_usage(zchat: RunZchat) -> None:
    result = zchat("jion")
    assert result.code == 2
    assert "No such command 'jion'" in result.err


def test_completion_knows_the_commands(zchat: RunZchat) -> None:
    asked = {"_ZCHAT_COMPLETE": "bash_complete", "COMP_WORDS": "zchat se", "COMP_CWORD": "1"}
    assert zchat(env=asked).out.split() == ["plain,send", "plain,search"]


def test_each_command_imports_only_what_it_needs(zchat: RunZchat, tmp_path: Path) -> None:
    for name in ("send", "tail"):
        imported = zchat(
            name,
            "--broker",
            f"ipc://{tmp_path}/nobody",
            "--timeout",
            "0.1",
            *(["x"] * (name == "send")),
            env={"PYTHONPROFILEIMPORTTIME": "1"},
        ).err
        assert " zmq" in imported
        for module in ("prompt_toolkit", "sqlite3", "zchat.broker"):
            assert f" {module}\n" not in imported


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--listen", "tcp://127.0.0.1:7777", "--publish", "tcp://127.0.0.1:7777"), "are two sockets"),
        (("--heartbeat", "10", "--grace", "1"), "must be no shorter than the heartbeat"),
    ],
)
def test_a_broker_that_cannot_be_is_refused_before_it_starts(args: tuple[str, ...], said: str, zchat: RunZchat) -> None:
    result = zchat("broker", *args)
    assert (result.code, said in result.err) == (2, True), result.err


@pytest.mark.parametrize(
    ("command", "code"),
    [("tail -n 3 >&-", 0), ("send - <&-", 0), ("who <&- >&- 2>&-", 0), ("tail --bogus 2>&-", 2)],
)
def test_a_closed_descriptor_is_no_mistake_of_ours(
    broker: Broker, environment: dict[str, str], command: str, code: int
) -> None:
    shell = f"{' '.join(ZCHAT)} {command}"
    env = environment | {"ZCHAT_BROKER": broker.listen}
    result = subprocess.run(["sh", "-c", shell], env=env, capture_output=True, text=True, timeout=30, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (code, "", "")


def test_a_broker_that_cannot_print_where_it_is_says_only_that(environment: dict[str, str], tmp_path: Path) -> None:
    where = ("--listen", f"ipc://{tmp_path}/in", "--publish", f"ipc://{tmp_path}/out")
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            (*ZCHAT, "broker", "--memory", *where), env=environment, stdout=full, stderr=subprocess.PIPE, timeout=30,
            check=False, text=True,
        )  # fmt: skip
    assert result.returncode == 74
    assert result.stderr.splitlines()[-1] == "zchat: No space left on device."
    assert "never awaited" not in result.stderr


def test_how_a_command_failed_is_in_the_log_file_too(zchat: RunZchat, tmp_path: Path) -> None:
    nowhere = f"ipc://{tmp_path}/nobody"
    who = zchat("who", "--broker", nowhere, "--timeout", "0.1", "-v", "--log-dir", str(tmp_path / "log"))
    assert (who.code, who.err.count("No broker answers")) == (69, 1), "it is told once"
    assert f"ended with 69: No broker answers at {nowhere}" in (tmp_path / "log" / "client.log").read_text()


def test_without_a_log_file_a_command_warns_once_and_goes_on(zchat: RunZchat, broker: Broker, tmp_path: Path) -> None:
    (tmp_path / "log").touch()  # a folder that cannot be made, even by root
    sent = zchat("send", "--nick", "ana", "--log-dir", str(tmp_path / "log"), "hello", broker=broker)
    assert sent.code == 0
    assert sent.err.count("There is no log file this time.") == 1


def test_a_broker_without_a_log_file_goes_on_if_its_console_is_there(start_broker: StartBroker, tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    broker = start_broker("--log-dir", str(tmp_path / "log"))
    assert broker.output("stderr").count("There is no log file this time.") == 1
