"""Copies the files that the messages of a copied log carry, to a folder beside it.

Links where the disk allows: a file in its place never changes, and what is deleted later stays in the copy. A file that
is deleted while it is copied is not missed: the copy of the log is older than that, and says so of it.
"""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from zchat import files
from zchat.errors import FolderError

from .folder import Folder


def copy(source: Path, target: Path, wanted: Iterable[str], progress: Callable[[int], None]) -> int:
    """Copy files from the folder `source` to the new folder `target`; return how many are missing there.

    `progress` is called with the number of files done. Raises FolderError.
    """
    there, missing = Folder(source), 0
    try:
        for done, file in enumerate(wanted, 1):
            place = target / file[:2] / file[2:]
            files.folder(place.parent)
            missing += not _copy(there.place(file), place)
            progress(done)
    except OSError as error:
        raise FolderError(target, error, "FILE") from error
    return missing


def _copy(source: Path, target: Path) -> bool:
    """Link or copy a file; return whether it was there."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        return False
    except FileExistsError:
        pass
    except OSError:  # another disk
        with contextlib.suppress(FileNotFoundError):
            files.private(target)
            shutil.copyfile(source, target)
            return True
        target.unlink(missing_ok=True)
        return False
    return True
