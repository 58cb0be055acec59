"""The disk, or what is on it."""

from pathlib import Path

from .base import ZchatError


class StorageError(ZchatError):
    """Something about the disk, or what is on it."""

    exit_code = 74


class AddressInUseError(StorageError):
    """`holder` says who has the address, as far as the system tells."""

    def __init__(self, endpoint: str, option: str, holder: str = "") -> None:
        self.endpoint, self.holder = endpoint, holder
        super().__init__(
            f"{endpoint} is taken by {holder or 'another program'}. "
            f"Choose another address with {option} (a port of 0 picks a free one)."
        )


class FolderError(StorageError):
    """A folder cannot be made, read or written."""

    def __init__(self, folder: Path, why: str | OSError, option: str = "--data") -> None:
        self.folder = folder
        super().__init__(f"The folder {folder} cannot be used: {_said(why)}. Choose another {option}.")


class StateFileError(StorageError):
    """A file in which a client or a gateway keeps something cannot be `done` to: "read", "written"."""

    def __init__(self, path: Path, done: str, why: OSError) -> None:
        self.path = path
        super().__init__(f"{path} cannot be {done}: {_said(why)}.")


class DiskFullError(StorageError):
    """The disk that holds `path` is full."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"The disk that holds {path} is full. Make room and try again: nothing was half written.")


class ForeignLogError(StorageError):
    """A file that is no zchat log, or a damaged one. `journal` says whether it was read through one that lay there."""

    def __init__(self, path: Path, why: str, journal: bool = False) -> None:
        self.path, self.journal = path, journal
        backup = f" If it is a backup that was put there: {_without_journal(path)}." if journal else ""
        super().__init__(
            f"{path} is not a sound zchat log ({why}). It was left untouched: move it away or choose another --data."
            + backup
        )


class ForeignJournalError(StorageError):
    """A log beside the journal of another one, as when a backup is put in the place of a log that was not closed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            f"The journal {path.name}-wal beside {path} belongs to another log, and would undo what was put there. "
            f"Nothing was changed: {_without_journal(path)}."
        )


class NewerLogError(StorageError):
    """A log of format `found`, written by a newer zchat."""

    def __init__(self, path: Path, found: int, known: int) -> None:
        self.path, self.found, self.known = path, found, known
        super().__init__(
            f"{path} was written by a newer zchat (format {found}, this one knows {known}). "
            "Upgrade zchat, or choose another --data."
        )


class LostLogError(StorageError):
    """The log was removed, replaced or written to under the broker."""

    def __init__(self, path: Path, why: str) -> None:
        self.path = path
        super().__init__(
            f"The log {path} is not this broker's any more: {why}. What was acknowledged until now may be missing. "
            "Find out who did that, put the log back if it is gone, and start the broker again."
        )


class SharedLogError(StorageError):
    """A log that is one of a cluster's, opened by a broker that would go on with it alone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            f"{path} is the log of a broker of a cluster: alone, this one would part it from the others. Nothing was "
            "changed: start it with --cluster. For a broker alone, make a log of its own of it: `zchat backup`."
        )


class InUseError(StorageError):
    """`pid` is the process that has it, 0 if unknown."""

    def __init__(self, path: Path, pid: int, option: str = "--data") -> None:
        self.path, self.pid = path, pid
        who = f"process {pid}" if pid else "another process"
        super().__init__(f"{path} is in use by {who}. Stop that one first, or choose another {option}.")


class KeyFileError(StorageError):
    """A file that should hold a secret key, and does not."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            f"{path} holds no key. Put the right one back, from a backup perhaps. If you move it away, a new key is "
            "made: then everybody needs a new link."
        )


class LogFileError(StorageError):
    """The log file cannot be written, or is somebody else's."""

    def __init__(self, path: Path, why: str | OSError) -> None:
        self.path = path
        super().__init__(f"The log file {path} cannot be written: {_said(why)}. Choose another folder with --log-dir.")


class LocalFileError(StorageError):
    """A file here cannot be read or written."""

    def __init__(self, path: Path, why: object) -> None:
        self.path = path
        self.why = (why.strerror if isinstance(why, OSError) else None) or str(why)
        super().__init__(f"{path}: {self.why}.")


class DamagedFileError(StorageError):
    """What was downloaded is not the file with this hash. It was deleted."""

    def __init__(self, file: str) -> None:
        self.file = file
        super().__init__(
            f"What the broker gave is not the file {file[:16]}…: its hash is another one, and it was deleted. "
            "Try again; if it is so again, tell whoever runs the broker."
        )


def _without_journal(path: Path) -> str:
    """Return what to do about a journal of another log."""
    return f"remove {path.name}-wal and {path.name}-shm, then start again"


def _said(why: str | OSError) -> str:
    """Return a reason as part of a sentence."""
    return why if isinstance(why, str) else (why.strerror or str(why)).lower()
