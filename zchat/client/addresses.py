"""Where a broker is and who it has to be: what `--broker`, ZCHAT_BROKER and the `broker` of a client mean.

It may be an endpoint (`tcp://…`, `ipc://…`, `inproc://…`), a link (`zchat://…`), or the name of a broker known from an
earlier link. Without any it is the broker of this user on this machine, where the kernel proves who one is, else the
one at the usual port, where one is a guest.

What a program keeps of a broker is filed under `id`: the key, where there is one, for hosts move and links are spelled
in many ways; and never anything that has the code of an invitation in it.
"""

import contextlib
import logging
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from platformdirs import user_data_path

from zchat import files
from zchat.errors import BadLinkError, StorageError, UnknownBrokerError
from zchat.protocol import BROKER, endpoints, links

from .identity import config_folder
from .known_brokers import KnownBroker, KnownBrokers, name_of

log = logging.getLogger(__name__)
AROUND, BEHIND = " \t\r\n<>()\"'", ".,;/"  # what comes along when a link is copied out of a text


@dataclass(frozen=True)
class Address:
    """A broker: `endpoints` to try in turn, the public `key` that it has to have, and how it is called."""

    endpoints: tuple[str, ...]
    shown: str  # to people, and given again it leads there again; without key and code
    key: bytes | None = None
    code: str | None = field(default=None, repr=False)  # of an invitation
    known: KnownBrokers | None = field(default=None, repr=False)  # where to remember it once it has answered

    @property
    def id(self) -> str:
        """What is kept of this broker is filed under this."""
        return links.key_text(self.key) if self.key else self.shown

    @property
    def link(self) -> str | None:
        """The link to this broker, without the code of an invitation; None for one without a key."""
        if self.key is None:
            return None
        hosts = ",".join(each.removeprefix("tcp://") for each in self.endpoints)
        return links.BrokerLink(links.parse_hosts(hosts), self.key).text

    @property
    def proves(self) -> bool:
        """Whether the connection proves who one is."""
        return self.key is not None or self.shown.startswith("ipc://")

    def remember(self, nick: str | None, endpoints: tuple[str, ...] = ()) -> None:
        """Keep the broker, and the nick that one has there, after it has proved its key; never raises.

        `endpoints`: where it is, if more is known by now than was given.
        """
        if self.known is None or self.key is None:
            return
        try:
            found = self.known.load().get(self.shown)
            nick = nick or (found.nick if found else None)
            web = found.web if found else None
            broker = KnownBroker(endpoints or self.endpoints, links.key_text(self.key), nick, web)
            self.known.remember(self.shown, broker)
        except StorageError as error:
            log.warning("the broker is not remembered: %s", error)


def resolve(broker: str | None = None, known: Sequence[KnownBrokers] | None = None) -> Address:
    """Return the broker that is meant; by default ZCHAT_BROKER, else the one on this machine.

    `known` are the files in which to look for names; what is new is remembered in the first one. Raises
    BadEndpointError, BadLinkError, ChangedKeyError, UnknownBrokerError, StorageError.
    """
    broker = broker or os.environ.get("ZCHAT_BROKER") or default_endpoint()
    places = known or (KnownBrokers(default_known()),)
    if links.is_link(pasted := broker.strip(AROUND)):
        link = links.parse(pasted.rstrip(BEHIND))
        for each in places:
            each.check(link)
        return Address(link.endpoints, name_of(link), link.key, link.code, places[0])
    if "://" in broker:
        endpoints.check(broker)
        return Address((broker,), broker)
    for each in places:
        if found := each.find(broker):
            name, entry = found
            return Address(entry.endpoints, name, links.key_bytes(entry.key), known=places[0])
    raise UnknownBrokerError(broker, tuple(name for each in places for name in each.load()))


def link_for_others(used: str | None, told: Sequence[str]) -> str | None:
    """Return the link to hand on, without a code: one that leads here from other machines, if there is any.

    `used` is the one that led here, and `told` are those that the broker tells.
    """
    found = []
    for each in (used, *told):
        with contextlib.suppress(BadLinkError):  # what a broker tells may be anything
            found += [links.parse(each)] if each else []
    best = next((link for link in found if not link.is_local), found[0] if found else None)
    if best is None:
        return None
    names_more = (each for each in found if each.key == best.key and set(best.hosts) < set(each.hosts))
    best = next(names_more, best)  # several brokers share the log
    return links.BrokerLink(best.hosts, best.key).text


def shown(endpoint: str) -> str:
    """Return where a TCP endpoint is as links have it: without the port, if that is the usual one."""
    return endpoint.removeprefix("tcp://").removesuffix(f":{links.PORT}")


def default_known() -> Path:
    """Return the file of the brokers that this user knows."""
    return config_folder() / "brokers.toml"


def default_endpoint() -> str:
    """Return the broker of this user on this machine, if somebody answers there; else the usual port on loopback."""
    data = os.environ.get("ZCHAT_DATA")
    path = files.local_socket(Path(data) if data else user_data_path("zchat", appauthor=False))
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as trying:
        trying.settimeout(0.5)
        try:
            trying.connect(str(path))
        except OSError:  # nobody is there, or the path is too long for a socket
            return BROKER
    return f"ipc://{path}"


def host_name() -> str:
    """Return how this device is called unless it is told otherwise."""
    return socket.gethostname()[:64] or "device"
