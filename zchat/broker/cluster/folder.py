"""The folder of a cluster, `zchat cluster init DIR a=HOST b=HOST c=HOST`, and that of each of its machines, DIR/a.

DIR/a has all that the machine `a` needs, and is copied there: cluster.json (who is in the cluster, and who is `me`),
the certificates between the nodes, and the broker's key, which is the same everywhere, so that one link leads to all.
There it grows data/ (the broker's log) and stream/ (what the node keeps). DIR has cluster.json, too, with nobody as
`me`, and the authority's key, with which machines are added later: that is never copied.

Several machines at one host have ports that are ten apart, for trying it out.
"""

import contextlib
import ipaddress
import os
import re
import secrets
import ssl
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from zchat import files
from zchat.broker import keys
from zchat.broker.store import LOG_FILE, backup
from zchat.broker.store.hold import Hold
from zchat.errors import BadEndpointError, FolderError, InUseError, UsageError
from zchat.protocol import links

from . import certificates

SETTINGS, AUTHORITY, SECRET = "cluster.json", "ca.crt", "ca.key"
CERTIFICATE, KEY = "node.crt", "node.key"
DATA = "data"
MACHINES_MAX = links.HOSTS_MAX  # a link names all of them
APART = 10  # ports between those of two machines at one host

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


class Machine(Struct, frozen=True, forbid_unknown_fields=True):
    """A node and the broker beside it: what it is called, and where others reach it."""

    name: str
    host: str  # an IPv6 address without brackets
    broker: int = links.PORT  # the broker's port; the feed's is the next
    node: int = 4222  # the port at which brokers reach the node
    routes: int = 6222  # and the other nodes


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """Who is in a cluster. `me` is the machine of this folder, empty in the folder above."""

    cluster: str  # by which it is known from others
    me: str
    machines: tuple[Machine, ...] = field(default=())
    founder: str = ""  # the machine whose log the cluster goes on with; empty if it began with none


@dataclass(frozen=True)
class Folder:
    """The folder of a machine, as it was read."""

    path: Path
    settings: Settings

    @property
    def me(self) -> Machine:
        return next(each for each in self.settings.machines if each.name == self.settings.me)

    @property
    def others(self) -> tuple[Machine, ...]:
        return tuple(each for each in self.settings.machines if each.name != self.settings.me)

    @property
    def nats(self) -> str:
        """What the nodes call their cluster."""
        return f"zchat-{self.settings.cluster}"

    @property
    def servers(self) -> tuple[str, ...]:
        """Where the nodes are reached, one's own first."""
        return tuple(f"tls://{at(each.host, each.node)}" for each in (self.me, *self.others))

    @property
    def hosts(self) -> tuple[str, ...]:
        """Where the brokers are reached, HOST:PORT each, for links."""
        return tuple(at(each.host, each.broker) for each in self.settings.machines)

    @property
    def founds(self) -> bool:
        """Whether its broker may make the stream, if there has never been one."""
        return self.settings.founder in {"", self.settings.me}

    @property
    def data(self) -> Path:
        """Where the broker's log is."""
        return self.path / DATA

    def tls(self) -> ssl.SSLContext:
        """Return by what one calls a node: it proves itself, and is asked to. Raises FolderError."""
        try:
            files.tighten(self.path / KEY)
            made = ssl.create_default_context(cafile=self.path / AUTHORITY)
            made.load_cert_chain(self.path / CERTIFICATE, self.path / KEY)
        except OSError as error:  # also ssl.SSLError
            raise FolderError(self.path, error, "--cluster") from error
        made.minimum_version = ssl.TLSVersion.TLSv1_3
        return made


def at(host: str, port: int) -> str:
    """Return HOST:PORT, as it stands in addresses."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def listens(host: str) -> str:
    """Return on which address a machine listens that others reach at `host`: on all, if that is a name.

    For a name often means 127.0.1.1 on the machine itself.
    """
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host)
        return host
    return "127.0.0.1" if host == "localhost" else "0.0.0.0"  # noqa: S104 - only with a certificate


def read(path: Path) -> Folder:
    """Read the folder of a machine. Raises FolderError, UsageError."""
    settings = _settings(path)
    if not settings.me:
        each = [str(path / machine.name) for machine in settings.machines if (path / machine.name).is_dir()]
        raise UsageError(f"{path} is the folder of the whole cluster. Give that of a machine: {' or '.join(each)}.")
    if settings.me not in {machine.name for machine in settings.machines}:
        raise FolderError(path, f"{SETTINGS} says that this is {settings.me}, which is not among its machines", "one")
    return Folder(path, settings)


def any_of(path: Path) -> Folder:
    """Read the folder of a machine, or of any in the folder of the whole cluster. Raises FolderError, UsageError."""
    settings = _settings(path)
    below = [path / each.name for each in settings.machines if (path / each.name / SETTINGS).exists()]
    return read(below[0] if below and not settings.me else path)


def plan(texts: Sequence[str], ports: Machine, there: Sequence[Machine] = ()) -> tuple[Machine, ...]:
    """Read `NAME=HOST` … as machines beside those that are there. Raises UsageError.

    `ports` has the ports of the first machine at each host.
    """
    found = list(there)
    for text in texts:
        name, given, host = text.partition("=")
        if not given or not host:
            raise UsageError(f"{text!r} is no machine. Write NAME=HOST, as in a=10.0.0.1.")
        found.append(_beside(found, _checked(name, host, ports)))
    for name in {each.name for each in found}:
        if sum(each.name == name for each in found) > 1:
            raise UsageError(
                f"There are two machines {name}. Each has a name of its own, also one that replaces another."
            )
    if len(found) > MACHINES_MAX:
        raise UsageError(f"These are {len(found)} machines, and a cluster has at most {MACHINES_MAX}.")
    return tuple(found[len(there) :])


def create(path: Path, machines: Sequence[Machine], before: Path | None = None) -> Settings:
    """Make the folder of a cluster, and in it one for each machine. Raises UsageError, StorageError.

    `before` is the data folder of a broker that is alone and does not run: its log goes to the first machine, and its
    key to all.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UsageError(
            f"{path} is there already, and nothing in it was touched. Choose another DIR; or add machines to the "
            "cluster that is there: zchat cluster add."
        )
    with contextlib.nullcontext() if before is None else _stopped(before):
        secret = (keys.fresh() if before is None else keys.of_folder(before)).secret
        founder = "" if before is None else machines[0].name
        settings = Settings(secrets.token_hex(4), "", tuple(machines), founder)
        with _writing(path):
            _make(path, settings, secret + b"\n")
        if before is not None:
            backup(before, path / founder / DATA / LOG_FILE, lambda _done, _all: None)
    return settings


@contextlib.contextmanager
def _stopped(data: Path) -> Iterator[None]:
    """See to it that nobody adds to a log meanwhile. Raises FolderError, InUseError."""
    if not (data / LOG_FILE).exists():
        raise FolderError(data, "there is no log in it", "--from")
    try:
        hold = Hold(data / LOG_FILE)
    except InUseError as error:
        raise InUseError(error.path, error.pid, "--from") from None
    with contextlib.closing(hold):
        yield


def _make(path: Path, settings: Settings, secret: bytes) -> None:
    authority = certificates.authority(settings.cluster)
    files.folder(path)
    _write(path / SECRET, authority.key)
    _write(path / AUTHORITY, authority.certificate)
    _write(path / keys.KEY_FILE, secret)
    _fill(path, settings, authority, settings.machines)
    if settings.founder:
        files.folder(path / settings.founder / DATA)


def add(path: Path, machines: Sequence[Machine], without: Iterable[str] = ()) -> Settings:
    """Make folders for more machines of a cluster, and drop some from its list. Raises UsageError, FolderError.

    What the others know of the cluster is written anew, in the folders that are still beside.
    """
    before, dropped = whole(path), set(without)
    if machines and len(before.machines) == 1:
        raise UsageError(
            "A cluster of one machine does not grow. Stop it, and make a new one of its log: zchat cluster init NEW "
            f"NAME=HOST NAME=HOST NAME=HOST --from {path / before.machines[0].name / 'data'}."
        )
    if unknown := dropped - {each.name for each in before.machines}:
        raise UsageError(f"There is no machine {', '.join(sorted(unknown))} in this cluster.")
    kept = tuple(each for each in before.machines if each.name not in dropped)
    if not kept:
        raise UsageError("That would leave nobody who knows the cluster.")
    settings = replace(before, machines=(*kept, *machines))
    with _writing(path):
        authority = certificates.Pair((path / AUTHORITY).read_bytes(), (path / SECRET).read_bytes())
        _fill(path, settings, authority, machines)
    return settings


def whole(path: Path) -> Settings:
    """Return what the folder of the whole cluster says, the one with the authority's key. Raises UsageError."""
    settings = _settings(path)
    if settings.me or not (path / SECRET).exists():
        raise UsageError(
            f"{path} is not the folder that `zchat cluster init` made, with {SECRET} in it: machines are added there, "
            "where that was run."
        )
    return settings


def _settings(path: Path) -> Settings:
    try:
        return msgspec.json.decode((path / SETTINGS).read_bytes(), type=Settings)
    except OSError as error:
        why = f"there is no {SETTINGS} in it" if isinstance(error, FileNotFoundError) else error
        raise FolderError(path, why, "one: `zchat cluster init` makes them") from None
    except msgspec.DecodeError as error:
        raise FolderError(path, f"{SETTINGS} cannot be read ({error})", "one, or copy it anew") from None


def _checked(name: str, host: str, ports: Machine) -> Machine:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a machine: it has lower-case letters, digits and hyphens, at most 32."
        )
    try:
        (host, port), *more = links.parse_hosts(f"[{host}]" if host.count(":") > 1 and "[" not in host else host)
    except BadEndpointError as error:
        raise UsageError(
            f"{host!r} cannot be where {name} is: {error.why}. Write NAME=HOST, as in a=10.0.0.1."
        ) from None
    if more or port != links.PORT:
        raise UsageError(f"{name}={host}: ports are given by --port, --node-port and --route-port, for all machines.")
    return replace(ports, name=name, host=host)


def _beside(there: Sequence[Machine], machine: Machine) -> Machine:
    """Return a machine with ports that none has that is there, at the same host."""
    same = [each for each in there if each.host == machine.host]
    if not same:
        return machine
    last = max(same, key=lambda each: each.broker)
    return replace(machine, broker=last.broker + APART, node=last.node + APART, routes=last.routes + APART)


def _fill(path: Path, settings: Settings, authority: certificates.Pair, new: Sequence[Machine]) -> None:
    """Write the folders of new machines, and what is known of the cluster into all."""
    for machine in new:
        folder = path / machine.name
        folder.mkdir(mode=0o700)
        issued = certificates.issue(authority, machine.name, machine.host)
        _write(folder / AUTHORITY, authority.certificate)
        _write(folder / CERTIFICATE, issued.certificate)
        _write(folder / KEY, issued.key)
        _write(folder / keys.KEY_FILE, (path / keys.KEY_FILE).read_bytes())
    for me in ("", *(each.name for each in settings.machines)):
        if (path / me).is_dir():
            content = msgspec.json.format(msgspec.json.encode(replace(settings, me=me)))
            files.rewrite(path / me / SETTINGS, content + b"\n")


def _write(path: Path, content: bytes) -> None:
    files.rewrite(path, content)
    with path.open("rb") as written:
        os.fsync(written.fileno())


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FolderError(path, error, "DIR") from error
