"""The doors of a broker: by which address, and as whom, one comes in.

A door is a pair of endpoints, one for commands and one for the feed, with one way to tell who comes:

- `guest`: TCP on loopback, and `inproc`. Nothing is proved.
- `user`: `ipc`. The kernel tells which user of this machine it is.
- `key`: TCP that other machines reach, or any that is written `zchat://HOST:PORT`. Both ends prove that they have their
  keys, and all is encrypted (CURVE). There is no other way in from another machine.

All doors lead to one ROUTER and one XPUB socket: mechanism and ZAP domain are options of a bind. Once set, the domain
cannot be unset, so guests' endpoints are bound first.
"""

import os
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from zchat.errors import BadEndpointError, UsageError
from zchat.protocol import endpoints, links

Kind = Literal["guest", "user", "key"]
KINDS: tuple[Kind, ...] = ("guest", "user", "key")  # the order in which they are bound


@dataclass(frozen=True)
class Door:
    """A pair of endpoints as ZeroMQ writes them, and how one proves there who one is."""

    kind: Kind
    listen: str
    publish: str


def plan(listen: str | Sequence[str], publish: str | Sequence[str] | None = None) -> tuple[Door, ...]:
    """Return the doors for these endpoints; a feed that is not given is beside its commands.

    Raises UsageError (BadEndpointError …).
    """
    listens = (listen,) if isinstance(listen, str) else tuple(listen)
    feeds = () if publish is None else (publish,) if isinstance(publish, str) else tuple(publish)
    if not listens or len(feeds) > len(listens):
        raise UsageError("Each --publish belongs to the --listen at the same place: there are more of them.")
    return tuple(_door(each, feeds[k] if k < len(feeds) else None) for k, each in enumerate(listens))


def beside(listen: str) -> str:
    """Return where the feed is unless it is given: the next port, or a socket file with `-feed` in its name."""
    scheme, _, rest = listen.partition("://")
    if scheme == "tcp":
        host, _, port = rest.rpartition(":")
        return f"tcp://{host}:{int(port) + 1 if int(port) else 0}"
    folder, name = os.path.split(rest)
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 — it may be no path: inproc, or an abstract name
    return f"{scheme}://{os.path.join(folder, f'{stem}-feed{suffix}')}"  # noqa: PTH118 — as above


def feed_for(doors: Sequence[Door], credential: str) -> str:
    """Return the feed's endpoint as whoever has this credential is told it: that of the door for such credentials."""
    kind = kind_of(credential)
    door = next((door for door in doors if door.kind == kind), doors[0])
    return endpoints.advertised(door.publish)


def kind_of(credential: str) -> Kind:
    """Return the kind of the door by which one came in."""
    return "key" if links.is_key(credential) else "user" if credential else "guest"


def bound(door: Door, listen: str, publish: str) -> Door:
    """Return the door with the endpoints on which it really listens."""
    return replace(door, listen=listen, publish=publish)


def written(door: Door, key: bytes | None) -> str:
    """Return how a client is told to come in by a door: its endpoint, or the link that also says the broker's key."""
    if door.kind != "key" or key is None:
        return door.listen
    return links.BrokerLink((_place(door.listen),), key).text


def link(doors: Sequence[Door], key: bytes, advertise: Sequence[str] = ()) -> links.BrokerLink:
    """Return the link by which others come in: to the hosts that are advertised, else where the doors for keys are.

    Raises BadEndpointError for a host that cannot be one.
    """
    found = [_place(door.listen) for door in doors if door.kind == "key"]
    if advertise:
        named = ",".join(advertise).split(",")
        port = found[0][1]
        return links.BrokerLink(
            tuple(links.parse_hosts(each if _PORT.search(each) else f"{each}:{port}")[0] for each in named), key
        )
    return links.BrokerLink(tuple((_reachable(host), port) for host, port in found), key)


_PORT = re.compile(r":[0-9]*$")


def _place(endpoint: str) -> tuple[str, int]:
    """Return the host and the port of a TCP endpoint."""
    host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    return host.strip("[]"), int(port)


def _reachable(host: str) -> str:
    """Return a host as others may reach it: "any address" is this machine's name."""
    return socket.gethostname() if host in {"0.0.0.0", "::"} else host  # noqa: S104


def _door(listen: str, publish: str | None) -> Door:
    kind, listen = _read(listen)
    if publish is None:
        publish = beside(listen)
        endpoints.check(publish, first_port=0)
    else:
        other, publish = _read(publish)
        if (kind != "key" and other == "key") or (kind == "key" and not publish.startswith("tcp://")):
            raise UsageError(
                f"{publish} cannot be the feed of {listen}: others reach one of them and not the other, "
                "and only where others come in all is encrypted. Leave --publish out, or give both such an address."
            )
    if listen == publish and not listen.endswith(":0"):
        raise UsageError(f"{listen}: commands and events are two sockets, so give each an address of its own.")
    return Door(kind, listen, publish)


def _read(endpoint: str) -> tuple[Kind, str]:
    """Return of which kind the door at an endpoint is, and the endpoint as ZeroMQ writes it."""
    rest = endpoint.removeprefix(links.SCHEME)
    if rest != endpoint:
        if "/" in rest:
            raise BadEndpointError(endpoint, "the broker's own key does not belong there: see `zchat key`")
        rest = rest if _PORT.search(rest) else f"{rest}:{links.PORT}"
        endpoints.check(f"tcp://{rest}", first_port=0)
        return "key", f"tcp://{rest}"
    endpoints.check(endpoint, first_port=0)
    if endpoint.startswith("ipc://"):
        return "user", endpoint
    return ("guest" if endpoints.is_local(endpoint) else "key"), endpoint
