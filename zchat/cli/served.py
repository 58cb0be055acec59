"""The servers of the page that were started with a data folder: where each is, and at which broker.

What a server keeps of people is filed under its broker, and that may be known by another address to who asks here: over
`ipc://`, say, at the same machine. So the server writes down how it reaches its broker, beside where it is itself.
"""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from zchat import files
from zchat.errors import FolderError, RefusedError

if TYPE_CHECKING:
    from zchat.client.addresses import Address

URL, BROKER = "url", "broker"  # files in which a server says where it is, and where its broker
ASKED = 5  # people, in whose name somebody is looked for, before that is given up


@dataclass(frozen=True)
class Served:
    """A server: the `folder` of what it keeps, the `url` of its page, and its `broker`, "" if it never said."""

    folder: Path
    url: str
    broker: str


def folder_of(data: Path, broker: str) -> Path:
    """Return the folder of a gateway: those it carries are known at one broker."""
    return data / "web" / hashlib.sha256(broker.encode()).hexdigest()[:16]


def tell(folder: Path, url: str, broker: "Address") -> None:
    """Write down where a server is. Raises OSError."""
    files.rewrite(folder / URL, url.encode())
    files.rewrite(folder / BROKER, (broker.link or broker.shown).encode())


def of(data: Path, broker: "Address") -> Served | None:
    """Return the server at a broker. Raises FolderError."""
    return _read(folder_of(data, broker.id))


def only(data: Path, broker: "Address") -> Served | None:
    """Return the server at a broker, or the only one that there is, at whatever broker. Raises FolderError."""
    found = of(data, broker)
    if found is None:
        found = known[0] if len(known := every(data)) == 1 else None
    return found


def every(data: Path) -> list[Served]:
    """Return all servers. Raises FolderError."""
    return [each for folder in sorted((data / "web").glob("*/")) if (each := _read(folder)) is not None]


def _read(folder: Path) -> Served | None:
    try:
        url = (folder / URL).read_text("utf-8", "replace")
        told = (folder / BROKER).exists()
        return Served(folder, url, (folder / BROKER).read_text("utf-8", "replace") if told else "")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FolderError(folder, error) from error


async def whom(served: Served, nick: str, broker: "Address", patience: float) -> str:
    """Return the `from_` of somebody whom a server carries.

    Who runs the server has the keys of those whom it carries, and need be no member: the broker is asked in the name of
    one of them. Raises RefusedError for who is not carried there, UnreachableError, TimedOutError.
    """
    from zchat.client.addresses import host_name, resolve  # noqa: PLC0415 — `--help` needs no sockets
    from zchat.client.client import ChatClient  # noqa: PLC0415
    from zchat.gateways.people.record import Folder  # noqa: PLC0415

    address = replace(resolve(served.broker) if served.broker else broker, known=None)  # it is not us who come there
    device = host_name() if address.proves else None
    people = {each.name: Folder(each) for each in (served.folder / "people").glob("*/")}
    records = {id_: record for id_, folder in people.items() if (record := folder.read()) is not None}
    keys = [people[id_].identity for id_, record in records.items() if record.kind == "member"][:ASKED]
    for key in keys if address.key else [None]:
        try:
            async with ChatClient(None, address, device=device, identity=key, timeout=patience) as client:
                found = await client.administration.identify(nick)
        except RefusedError:  # a device that was taken away, or nobody of this nick that the broker knows of
            continue
        if found in records:
            return found
        break
    guests = [id_ for id_, record in records.items() if record.kind == "guest" and record.nick == nick]
    if not guests:
        why = f"the server of {served.url} does not carry {nick}: --for is for who has come in there"
        raise RefusedError("unknown_member", why)
    return guests[0]
