"""The log goes to a file that is ours, stays bounded, and never disturbs."""

import logging
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from zchat import logs
from zchat.errors import LogFileError


@pytest.fixture(autouse=True)
def own_handlers() -> Iterator[None]:
    """Leave the logging of the test run as it was."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    for handler in root.handlers[:]:
        if handler not in before:
            root.removeHandler(handler)
            handler.close()
    root.setLevel(level)


def set_up(role: logs.Role, folder: Path, verbose: int = 0, console: int = logging.INFO) -> Path:
    """Call `logs.setup` where a file can be written."""
    path = logs.setup(role, folder, verbose, console)
    assert path is not None
    return path


def test_each_role_has_its_file(tmp_path: Path) -> None:
    assert logs.setup("server", tmp_path / "new" / "folder") == tmp_path / "new" / "folder" / "server.log"
    assert logs.setup("web", tmp_path) == tmp_path / "web.log" == logs.file()
    assert logs.setup("client", tmp_path) == tmp_path / "client.log" == logs.file()


def test_a_record_goes_to_the_file_and_a_grave_one_to_the_console(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = set_up("client", tmp_path, console=logging.WARNING)
    logging.getLogger("zchat.x").info("quiet")
    logging.getLogger("zchat.x").warning("loud")
    logging.getLogger("zchat.x").debug("secret")
    written = path.read_text()
    assert "INFO zchat.x" in written
    assert "loud" in written
    assert "secret" not in written
    assert capsys.readouterr().err == "WARNING: loud\n"


def test_verbose_shows_more(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = set_up("client", tmp_path, verbose=2, console=logging.WARNING)
    logging.getLogger("zchat.x").debug("all of it")
    assert "all of it" in path.read_text()
    assert "all of it" in capsys.readouterr().err


def test_a_traceback_is_for_the_file_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = set_up("client", tmp_path)
    try:
        raise ValueError("inner")
    except ValueError:
        logging.getLogger("zchat.x").exception("outer")
    assert "Traceback" in path.read_text()
    assert capsys.readouterr().err == "ERROR: outer\n"


def test_a_record_cannot_forge_a_line_or_move_the_cursor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = set_up("client", tmp_path)
    logging.getLogger("zchat.x").warning("nick %s", "a\n2026 ERROR\x1b[2J\u202e")
    assert path.read_text().count("\n") == 1
    shown = capsys.readouterr().err
    assert "\x1b" not in path.read_text() + shown
    assert "\\n2026 ERROR\\x1b[2J\\u202e" in shown


def test_no_character_that_acts_reaches_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = set_up("client", tmp_path)
    acting = "\x9b\u00ad\u061c\u202e\ufff9\U000e0041"
    logging.getLogger("zchat.x").warning("nick %s", f"{acting}a{chr(0x301) * 3_000}")
    for text in (path.read_text(), capsys.readouterr().err):
        assert "\\x9b\\xad\\u061c\\u202e\\ufff9\\U000e0041a" in text
        assert not set(acting) & set(text)
        assert text.count(chr(0x301)) == 8


def test_what_an_exception_says_cannot_forge_a_line_either(tmp_path: Path) -> None:
    path = set_up("client", tmp_path)
    try:
        raise ValueError("a\n2026-01-01T00:00:00+0000 INFO zchat[1]: all is well\x1b[2J\x85\u202e")
    except ValueError:
        logging.getLogger("zchat.x").exception("outer")
    first, *trace = path.read_text().splitlines()
    assert first.endswith("outer")
    assert all(line.startswith(logs.INDENT) for line in trace)
    assert trace[-1] == logs.INDENT + "2026-01-01T00:00:00+0000 INFO zchat[1]: all is well\\x1b[2J\\x85\\u202e"


def test_the_file_rotates_and_three_old_ones_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "FILE_MAX", 1000)
    logs.setup("client", tmp_path)
    for number in range(100):
        logging.getLogger("zchat.x").info("record %d %s", number, "x" * 100)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "client.log",
        "client.log.1",
        "client.log.2",
        "client.log.3",
    ]
    assert all(path.stat().st_size <= 1200 for path in tmp_path.iterdir())


def test_a_writer_follows_when_another_process_has_rotated_the_file(tmp_path: Path) -> None:
    path = set_up("client", tmp_path)
    logging.getLogger("zchat.x").info("one")
    path.rename(tmp_path / "client.log.1")
    logging.getLogger("zchat.x").info("two")
    assert "two" in path.read_text()
    assert "two" not in (tmp_path / "client.log.1").read_text()


def test_a_file_of_ours_is_continued(tmp_path: Path) -> None:
    path = set_up("client", tmp_path)
    logging.getLogger("zchat.x").info("one")
    logs.setup("client", tmp_path)
    logging.getLogger("zchat.x").info("two")
    assert path.read_text().count("\n") == 2


def test_a_file_of_somebody_else_is_left_untouched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    theirs = tmp_path / "server.log"
    theirs.write_text("127.0.0.1 - GET /index.html\n")
    assert logs.setup("server", tmp_path) is logs.file() is None
    assert theirs.read_text() == "127.0.0.1 - GET /index.html\n"
    assert re.search(r"something else.*--log-dir.*There is no log file this time", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("name", "why"), [("folder", "is a folder"), ("pipe", "not a regular file"), ("file", "file exists")]
)
@pytest.mark.parametrize("role", ["server", "client"])
def test_where_no_file_can_be_written_the_console_has_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], role: logs.Role, name: str, why: str
) -> None:
    folder = tmp_path / name
    if name == "file":
        folder.touch()
    else:
        folder.mkdir()
        if name == "folder":
            (folder / f"{role}.log").mkdir()
        else:
            os.mkfifo(folder / f"{role}.log")
    assert logs.setup(role, folder) is logs.file() is None
    logging.getLogger("zchat.x").warning("loud")
    shown = capsys.readouterr().err.splitlines()
    assert len(shown) == 2
    assert why in shown[0]
    assert shown[1] == "WARNING: loud"


def test_a_broker_that_could_log_nowhere_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(sys, "stderr", None)  # as it is in a process whose standard error was closed
    assert logs.setup("client", tmp_path / "file") is None
    with pytest.raises(LogFileError, match=r"server\.log"):
        logs.setup("server", tmp_path / "file")
