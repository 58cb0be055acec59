"""What `zchat broker --cluster` needs beside the rest: its part in a cluster, and with a folder also its node."""

import logging
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

OPTIONS = "--name, --copies, --no-node, --creds and --tls-…"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Part:
    """A broker's part in a cluster: what it is called, where its log is, and by default where people come in."""

    name: str
    data: Path
    reach: "Reach"
    copies: int  # nodes that keep the stream
    listen: tuple[str, ...] = ()
    advertise: tuple[str, ...] = ()
    founds: bool = True  # it may make the stream, if there has never been one

    def driver(self) -> "Driver":
        """Return what ChatServer is given; it is for one start."""
        from zchat.broker.cluster.driver import Driver  # noqa: PLC0415 - an extra
        from zchat.broker.cluster.engine import NatsEngine  # noqa: PLC0415 - as above

        found = self.reach
        engine = NatsEngine(found.servers, found.cluster, self.name, access=found.access, replicas=self.copies)
        return Driver(engine, self.name, founds=self.founds)


@dataclass(frozen=True)
class Given:
    """What was given about the part of a broker, beside the place of its cluster."""

    name: str | None
    copies: int | None
    no_node: bool
    access: dict[str, Path | None]

    @property
    def anything(self) -> bool:
        return self.no_node or self.for_nats

    @property
    def for_nats(self) -> bool:
        """Whether something was given that a folder says."""
        return self.name is not None or self.copies is not None or any(self.access.values())


def refuse_place(where: str, option: str) -> None:
    """Raise UsageError if the log of a broker in this cluster cannot be where that option says."""
    if option == "--memory":
        raise UsageError("--memory and --cluster exclude each other: each broker of a cluster has the log on its disk.")
    if not reach.is_nats(where):
        raise UsageError(f"Leave {option} out: the log of this broker is in {Path(where) / 'data'}.")


def find(where: str, data: Path, given: Given) -> Part:
    """Return a broker's part in a cluster; its log is in `data`, unless a folder says where. Raises UsageError …"""
    if not reach.is_nats(where):
        if given.for_nats:
            raise UsageError("--name, --copies, --creds and --tls-… are for nats://…: a folder says all of that.")
        return of_folder(Path(where), given.no_node)
    if given.no_node:
        raise UsageError("--no-node is for a folder: beside a NATS of your own no node is started.")
    if given.name is None:
        raise UsageError("Give this broker a name of its own among those of the cluster: --name.")
    log.warning(
        "it cannot be seen whether these nodes write to their disks before a message counts: "
        "set sync_interval: always in their jetstream, or a power cut may take what was acknowledged"
    )
    found = reach.of_nats(where, **given.access)
    from zchat.broker.cluster.status import COPIES  # noqa: PLC0415 - an extra

    return Part(given.name, data, found, given.copies or COPIES)


def of_folder(where: Path, no_node: bool = False) -> Part:
    """Start the node of a machine unless it runs, and return the part of its broker. Raises ZchatError."""
    from zchat.broker.cluster import folder, node, status  # noqa: PLC0415 - an extra

    machine = folder.read(where)
    found = reach.of_folder(machine)
    _share_key(machine)
    if not no_node and node.ensure(machine):
        log.info("the node in %s was started; it goes on when this broker ends (zchat cluster stop %s)", where, where)
    me, on = machine.me, folder.listens(machine.me.host)
    door = f"{links.SCHEME}{folder.at('*' if on == '0.0.0.0' else on, me.broker)}"  # noqa: S104 - a comparison
    copies = min(status.COPIES, len(machine.settings.machines))
    return Part(me.name, machine.data, found, copies, (door,), machine.hosts, machine.founds)


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
