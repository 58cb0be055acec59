"""By which address people come to the page, and what follows from it: which hosts and origins are ours. Pure.

A browser tells with each request to which host it was sent and, where it matters, from which page. Both have to be
ours: else a page of somebody else's could use our cookie, or lead its own name to our address (DNS rebinding).
"""

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from zchat.errors import UsageError
from zchat.protocol.endpoints import bracketed, is_loopback

PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Site:
    """An address: `url` has no slash at its end. `hosts` and `origins` are what browsers may send."""

    url: str
    hosts: frozenset[str]
    origins: frozenset[str]

    @property
    def secure(self) -> bool:
        """Whether browsers come by TLS, perhaps to a proxy before us."""
        return self.url.startswith("https://")

    @property
    def cookie(self) -> str:
        """The name of the cookie. On one machine several gateways share a host: browsers do not tell ports apart."""
        if self.secure:
            return "__Host-zchat"
        return f"zchat-{urlsplit(self.url).port or PORTS['http']}"


def site_of(host: str, port: int, url: str | None, tls: bool) -> Site:
    """Return the site of a server that listens at `host` and `port`. `url`: where people come, if not there.

    Raises UsageError.
    """
    if url is not None:
        return _given(url)
    scheme = "https" if tls else "http"
    if _is_any(host):
        raise UsageError(
            f"{host or '*'} is every address of this machine: say by which of them people come, as with "
            "--url https://chat.example.org."
        )
    if not tls and not is_loopback(host):
        raise UsageError(
            f"At {host} the page would be sent in the clear. Give it a certificate (--certificate, --key), or let it "
            "listen on loopback behind a proxy, and say with --url https://… by which address people come."
        )
    names = ["localhost", "127.0.0.1", "[::1]"] if is_loopback(host) else [bracketed(host.lower())]
    shown = names[0] if is_loopback(host) else bracketed(host.lower())
    hosts = [_with_port(name, port, scheme) for name in names]
    return Site(
        f"{scheme}://{_with_port(shown, port, scheme)}",
        frozenset(hosts),
        frozenset(f"{scheme}://{each}" for each in hosts),
    )


def _given(url: str) -> Site:
    found = urlsplit(url.rstrip("/"))
    try:
        port = found.port
    except ValueError:
        port = -1
    if found.scheme not in PORTS or not found.hostname or found.path or found.query or found.username or port == -1:
        raise UsageError(f"{url!r} is no address of a site. Write it as https://chat.example.org, without a path.")
    if found.scheme == "http" and not is_loopback(found.hostname):
        raise UsageError(f"{url} is not encrypted: who is in would be told in the clear. Use https.")
    host = _with_port(bracketed(found.hostname), port or PORTS[found.scheme], found.scheme)
    return Site(f"{found.scheme}://{host}", frozenset({host}), frozenset({f"{found.scheme}://{host}"}))


def _is_any(host: str) -> bool:
    try:
        return host in ("", "*") or ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _with_port(host: str, port: int, scheme: str) -> str:
    return host if port == PORTS[scheme] else f"{host}:{port}"
