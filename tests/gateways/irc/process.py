"""`zchat irc` as a process of its own, which may be killed and comes back at the same ports."""

import re
import signal
import subprocess
from pathlib import Path

from tests.conftest import READY, ZCHAT, wait_for


class Gateway:
    """`zchat irc` in a process of its own; it comes back at the same ports."""

    def __init__(self, link: str, folder: Path, env: dict[str, str]) -> None:
        self._link, self._folder, self._env = link, folder, env
        self._tls = certificate(folder, "server")
        self.plain, self.secure = "127.0.0.1:0", "127.0.0.1:0"
        self._runs = 0
        self.start()

    def start(self) -> None:
        self._runs += 1
        err = self._folder / f"irc.{self._runs}"
        made, key = map(str, self._tls)
        command = [
            *ZCHAT, "irc", "--broker", self._link, "--listen", self.plain, "--tls", self.secure,
            "--certificate", made, "--key", key, "--data", str(self._folder / "d"),
            "--log-dir", str(self._folder / "l"),
        ]  # fmt: skip
        with err.open("wb") as out:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=out, env=self._env)
        told = re.compile(r"^IRC.* at (\S+)$", re.MULTILINE)
        wait_for(lambda: len(told.findall(err.read_text())) == 2, "the gateway to listen", READY)
        self.plain, self.secure = told.findall(err.read_text())

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a self-signed certificate; return it and its key."""
    made, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", "-keyout", key, "-out", made], check=True, capture_output=True,
    )  # fmt: skip
    return made, key
