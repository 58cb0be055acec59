"""What `zchat broker --cluster` needs beside the rest: its part in a cluster, and with a folder also its node."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zchat import files
from zchat.errors import FolderError, UsageError
from zchat.protocol import links

from . import reach

if TYPE_CHECKING:
    from zchat.broker.cluster.driver import Driver
    from zchat.broker.cluster.folder import Folder
    from zchat.broker.cluster.watching import Reach

COPIES = 3  # nodes that keep the stream, unless told otherwise

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Part:
    """A broker's part in a cluster: what it is called, where its log is, and by default where people come in."""

    name: str
    data: Path
    reach: "Reach"
    listen: tuple[str, ...] = ()
    advertise: tuple[str, ...] = ()
    copies: int = COPIES  # nodes that keep the stream

    def driver(self) -> "Driver":
        """Return what ChatServer is given; it is for one start."""
        from zchat.broker.cluster.driver import Driver  # noqa: PLC0415 - an extra
        from zchat.broker.cluster.engine import NatsEngine  # noqa: PLC0415 - as above

        found = self.reach
        engine = NatsEngine(found.servers, found.cluster, self.name, access=found.access, replicas=self.copies)
        return Driver(engine, self.name, founds=True)


def of_folder(where: Path) -> Part:
    """Start the node of a machine unless it runs, and return the part of its broker. Raises ZchatError."""
    from zchat.broker.cluster import folder, node, status  # noqa: PLC0415 - an extra

    machine = folder.read(where)
    found = reach.of_folder(machine)
    _share_key(machine)
    if node.ensure(machine):
        log.info("the node in %s was started; it goes on when this broker ends (zchat cluster stop %s)", where, where)
    me, on = machine.me, folder.listens(machine.me.host)
    door = f"{links.SCHEME}{folder.at('*' if on == '0.0.0.0' else on, me.broker)}"  # noqa: S104 - a comparison
    copies = min(status.COPIES, len(machine.settings.machines))
    return Part(me.name, machine.data, found, (door,), machine.hosts, copies)


def of_nats(where: str, name: str, data: Path, copies: int, access: dict[str, Path | None]) -> Part:
    """Return the part of a broker beside a NATS that zchat did not set up. Raises UsageError, FolderError."""
    log.warning(
        "it cannot be seen whether these nodes write to their disks before a message counts: "
        "set sync_interval: always in their jetstream, or a power cut may take what was acknowledged"
    )
    return Part(name, data, reach.of_nats(where, **access), copies=copies)


def find(
    where: str, name: str | None, data: Path, copies: int | None, given: Sequence[str], access: dict[str, Path | None]
) -> Part:
    """Return a broker's part in the cluster that was given; `given` are options that were, by their names.

    Raises UsageError if they do not go together, and what `of_folder` and `of_nats` raise.
    """
    if "--memory" in given:
        raise UsageError("--memory and --cluster exclude each other: each broker of a cluster has the log on its disk.")
    if reach.is_nats(where):
        if name is None:
            raise UsageError("Give this broker a name of its own among those of the cluster: --name.")
        return of_nats(where, name, data, copies or COPIES, access)
    if "--data" in given:
        raise UsageError(f"Leave --data out: the log of this broker is in {Path(where) / 'data'}.")
    if name is not None or copies is not None or any(access.values()):
        raise UsageError("--name, --copies, --creds and --tls-… are for nats://…: a folder says all of that.")
    return of_folder(Path(where))


def _share_key(machine: "Folder") -> None:
    """Put the key that all brokers of the cluster have where a broker looks for its own. Raises StorageError."""
    from zchat.broker import keys  # noqa: PLC0415 - `--help` needs no sockets

    try:
        files.folder(machine.data)
    except OSError as error:
        raise FolderError(machine.data, error, "--cluster") from error
    own = machine.data / keys.KEY_FILE
    if not own.exists():
        keys.copy(machine.path, own)
    if keys.read(machine.data).raw != keys.read(machine.path).raw:
        raise UsageError(
            f"{own} is another key than {machine.path / keys.KEY_FILE}, and all brokers of a cluster have the same. "
            "Move the first away; or, if people know that one, put it into the folders of all machines instead."
        )
