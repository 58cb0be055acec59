"""Who is told by Web Push: for each login at most one address of a browser's push service, on disk.

The addresses come from browsers, so from anybody who is in. One that leads to where only we could go (our own network,
this machine) is refused, when it is given and again when its name is looked up.
"""

import ipaddress
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from zchat.errors import RefusedError
from zchat.gateways import stored

URL_MAX = 2_048
EMBEDDING = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "::/96")))


class Keys(msgspec.Struct):
    """By what a push is encrypted for one browser."""

    p256dh: str
    auth: str


class Subscription(msgspec.Struct):
    """What a browser says of itself: where to push, and its keys."""

    endpoint: str
    keys: Keys


class Subscribed(msgspec.Struct):
    """A subscription, and whose it is."""

    person: str
    subscription: Subscription


class Subscriptions:
    """The file at `path`: subscriptions by their login (the hash of its token). Raises StorageError."""

    def __init__(self, path: Path, check: Callable[[str], None] | None = None) -> None:
        self._path, self._check = path, check or check_endpoint
        self._known = stored.read(path, dict[str, Subscribed]) or {}

    def put(self, login: str, person: str, subscription: Subscription | None) -> None:
        """Let a login have a subscription, or none. Raises RefusedError for one that leads where none may lead."""
        if subscription is None:
            if self._known.pop(login, None) is not None:
                self._write()
            return
        self._check(subscription.endpoint)
        same = [each for each, known in self._known.items() if known.subscription.endpoint == subscription.endpoint]
        for each in same:  # the same browser, under an older login
            del self._known[each]
        self._known[login] = Subscribed(person, subscription)
        self._write()

    def of(self, person: str) -> dict[str, Subscription]:
        """Return the subscriptions of a person, by their login."""
        return {login: each.subscription for login, each in self._known.items() if each.person == person}

    def people(self) -> set[str]:
        """Return all who have one."""
        return {each.person for each in self._known.values()}

    def keep(self, is_known: Callable[[str], bool]) -> None:
        """Forget those whose login is over."""
        kept = {login: each for login, each in self._known.items() if is_known(login)}
        if len(kept) < len(self._known):
            self._known = kept
            self._write()

    def _write(self) -> None:
        stored.write(self._path, self._known)


def check_endpoint(url: str) -> None:
    """Refuse an address to which nothing is pushed. Raises RefusedError."""
    why = _wrong(url)
    if why:
        raise RefusedError("bad_command", f"nothing is pushed there: {why}")


def is_public(address: str) -> bool:
    """Say whether an IP address is one of the Internet."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        found = found.ipv4_mapped or found.sixtofour or _embedded(found) or found
    return found.is_global and not found.is_multicast


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address in one for NAT64, or in an "IPv4-compatible" one."""
    if any(address in network for network in EMBEDDING):
        return ipaddress.IPv4Address(address.packed[12:])
    return None


def _wrong(url: str) -> str:
    if not url.isascii() or not url.isprintable() or " " in url:  # what sends may read other digits than we see here
        return "it has other characters than an address"
    try:
        found = urlsplit(url)
        port = found.port
    except ValueError:
        return "it is no address"
    if len(url) > URL_MAX or found.scheme != "https" or not found.hostname or found.username or port not in (None, 443):
        return "the address of a push service begins with https:// and has no port"
    host = found.hostname
    if "." not in host.strip(".") and ":" not in host:
        return "it is a name of the local network"
    digits = host.replace(".", "").replace(":", "")
    is_address = ":" in host or digits.isdigit() or host.lower().startswith("0x")
    return "it is not on the Internet" if is_address and not is_public(host) else ""
