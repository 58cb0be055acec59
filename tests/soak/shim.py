"""The shim (`shim.c`) from outside: built with gcc, and turned by two numbers in a mapped file."""

import mmap
import shutil
import struct
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("shim.c")
NANO = 1_000_000_000


def can_be_built() -> bool:
    return shutil.which("gcc") is not None


class Shim:
    """A clock and a disk for processes that run with `env`; `clock` and `disk` are seconds, and act at once."""

    def __init__(self, folder: Path) -> None:
        library, control = folder / "shim.so", folder / "shim.control"
        command = ["gcc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"]
        subprocess.run(command, check=True)
        control.write_bytes(bytes(16))
        with control.open("r+b") as file:
            self._control = mmap.mmap(file.fileno(), 16)
        self.env = {"LD_PRELOAD": str(library), "SOAK_SHIM": str(control)}

    def set_clock(self, offset: float) -> None:
        """Let the wall clock be wrong by so many seconds."""
        struct.pack_into("=q", self._control, 0, int(offset * NANO))

    def set_delay(self, delay: float) -> None:
        """Let each fsync and fdatasync take so many seconds more."""
        struct.pack_into("=q", self._control, 8, int(delay * NANO))
