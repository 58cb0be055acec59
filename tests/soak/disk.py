"""A small disk for the broker's log, which a ballast file fills and frees: a tmpfs, mounted for the run.

Only root may mount, and not in every container. Elsewhere the log lies in the run's folder, and the fault is left out.
"""

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

SIZE = 256  # MiB: more than the log of a long run, less than a machine has of memory
PIECE = bytes(1024 * 1024)


class Disk:
    """The folder `data`; `small` tells whether it has a disk of its own that can be filled."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.data.mkdir()
        self._ballast = self.data / "ballast"
        command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}m,mode=0700", "soak", str(self.data)]
        self.small = (
            os.geteuid() == 0
            and shutil.which("mount") is not None
            and subprocess.run(command, check=False, capture_output=True).returncode == 0
        )

    def fill(self) -> None:
        """Leave not one byte to the broker."""
        descriptor = os.open(self._ballast, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        piece = memoryview(PIECE)
        try:
            while piece:
                try:
                    os.write(descriptor, piece)
                except OSError:
                    piece = piece[: len(piece) // 2]
        finally:
            os.close(descriptor)

    def free(self) -> None:
        self._ballast.unlink(missing_ok=True)

    def close(self) -> None:
        if self.small:
            with contextlib.suppress(OSError):  # what is on it is evidence, and goes with it
                shutil.copytree(self.data, self.data.with_name("data-kept"))
            subprocess.run(["umount", "--lazy", str(self.data)], check=False, capture_output=True)
            self.small = False
