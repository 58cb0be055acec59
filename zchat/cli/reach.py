"""Where a cluster is: the folder of one of its machines, or the nodes of a NATS of one's own."""

import functools
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import click

from zchat import extras
from zchat.errors import FolderError, UsageError

from .options import option

if TYPE_CHECKING:
    from zchat.broker.cluster.folder import Folder
    from zchat.broker.cluster.watching import Reach

SCHEMES = ("nats", "tls")
CHAT = "chat"  # what a cluster is called in a NATS of one's own, unless the address ends with /NAME

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

_FILE = click.Path(path_type=Path, dir_okay=False)
_OPTIONS = (
    option("--creds", type=_FILE, metavar="FILE", help="With nats://…: the credentials, as NATS has them."),
    option("--tls-ca", type=_FILE, metavar="FILE", help="With nats://…: whose certificates are believed."),
    option("--tls-cert", type=_FILE, metavar="FILE", help="With nats://…: one's own certificate."),
    option("--tls-key", type=_FILE, metavar="FILE", help="With nats://…: the key of that certificate."),
)


def access_options(command: F) -> F:
    """Add the options by which one comes in at a NATS of one's own."""
    return functools.reduce(lambda inner, add: add(inner), reversed(_OPTIONS), command)


def is_nats(where: str) -> bool:
    """Return whether these are addresses of NATS, and no folder."""
    return where.partition("://")[0] in SCHEMES and "://" in where


def needs_engine() -> None:
    """Raise MissingExtraError if the client of NATS is not installed."""
    extras.need("cluster", "nats")


def of_folder(folder: "Folder") -> "Reach":
    """Return how the cluster of a machine is reached."""
    needs_engine()
    from zchat.broker.cluster.connection import Access  # noqa: PLC0415 - an extra
    from zchat.broker.cluster.watching import Reach  # noqa: PLC0415 - as above

    hosts = {each.name: each.host for each in folder.settings.machines}
    return Reach(folder.servers, folder.settings.cluster, Access(tls=folder.tls()), hosts)


def of_nats(
    where: str, creds: Path | None, tls_ca: Path | None, tls_cert: Path | None, tls_key: Path | None
) -> "Reach":
    """Return how a cluster in a NATS of one's own is reached: `nats://HOST:PORT[,nats://…][/NAME]`.

    Raises UsageError, FolderError.
    """
    needs_engine()
    from zchat.broker.cluster.connection import Access  # noqa: PLC0415 - an extra
    from zchat.broker.cluster.watching import Reach  # noqa: PLC0415 - as above

    servers, name = [], CHAT
    for each in where.split(","):
        parts = urlsplit(each)
        if parts.scheme not in SCHEMES or not parts.hostname:
            raise UsageError(f"{each!r} is no address of NATS. Write nats://HOST:PORT, several with commas between.")
        name = parts.path.strip("/") or name
        servers.append(f"{parts.scheme}://{parts.netloc}")
    context = _tls(tls_ca, tls_cert, tls_key) if tls_ca or tls_cert or where.startswith("tls:") else None
    return Reach(servers, name, Access(tls=context, credentials=None if creds is None else str(creds)), ours=False)


def find(where: str, **access: Path | None) -> "Reach":
    """Return how a cluster is reached: by the folder of a machine, or that of all; or at a NATS of one's own."""
    from zchat.broker.cluster import folder  # noqa: PLC0415 - `--help` needs none of it

    if is_nats(where):
        return of_nats(where, **access)
    if any(access.values()):
        raise UsageError("--creds, --tls-ca, --tls-cert and --tls-key are for nats://…: a folder has its certificates.")
    return of_folder(folder.any_of(Path(where)))


def _tls(ca: Path | None, cert: Path | None, key: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca)
        if cert is not None:
            context.load_cert_chain(cert, key)
    except OSError as error:
        raise FolderError((cert or ca or Path()).parent, error, "--tls-ca, --tls-cert or --tls-key") from error
    return context
