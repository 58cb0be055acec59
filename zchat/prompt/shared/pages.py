"""Where the page of a broker is, and the links to it.

The broker knows nothing of a page, so somebody has to say where it is, once. It is remembered beside what is known of
the broker.
"""

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from zchat.client.addresses import default_known
from zchat.client.known_brokers import KnownBroker, KnownBrokers
from zchat.errors import UsageError
from zchat.protocol import links

if TYPE_CHECKING:
    from zchat.client.client import ChatClient

LOCAL = "http://localhost:8080"  # where `zchat web` listens unless it is told otherwise


class NoPageError(UsageError):
    """Nobody has said where the page of this broker is."""

    def __init__(self) -> None:
        super().__init__(
            "Where is the page? Say it once with --url https://…, or by ZCHAT_WEB. Who runs the broker knows whether "
            "there is one (zchat web)."
        )


class BadPageError(UsageError):
    """A text is no address of a page."""

    def __init__(self, url: str) -> None:
        super().__init__(f"{url!r} is no address of a page. Write it as https://chat.example.org.")


def checked_url(url: str) -> str:
    """Return the address of a page, as it was given. Raises BadPageError."""
    if not _is_page(url):
        raise BadPageError(url)
    return url


def _is_page(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and "#" not in url
    except ValueError:
        return False


def link_of(url: str, code: str) -> str:
    """Return the link to a page with a code, which browsers send to nobody there: it is behind the `#`."""
    return f"{url.rstrip('/')}/#in={code}"


def page_of(client: "ChatClient", given: str | None = None) -> str:
    """Return where the page of a broker is: as it is given now, by ZCHAT_WEB, or was given before.

    Raises NoPageError, BadPageError, StorageError.
    """
    known, found = KnownBrokers(default_known()), _known_as(client)
    if given := _given(given):
        for name, broker in found.items():
            known.remember(name, msgspec.structs.replace(broker, web=given))
        return given
    if (before := _before(found)) is not None:
        return before
    if client.link is None or links.parse(client.link).is_local or not found:
        return LOCAL
    raise NoPageError


def told_page(client: "ChatClient") -> str | None:
    """Return where somebody has said that the page of a broker is, None if nobody has.

    Raises BadPageError, StorageError.
    """
    return _given() or _before(_known_as(client))


def _given(url: str | None = None) -> str | None:
    """Return what is given now, or by ZCHAT_WEB. Raises BadPageError."""
    given = url or os.environ.get("ZCHAT_WEB")
    return checked_url(given) if given else None


def _known_as(client: "ChatClient") -> dict[str, KnownBroker]:
    """Return the broker of a client under each name by which it is known."""
    key = None if client.link is None else links.key_text(links.parse(client.link).key)
    return {name: broker for name, broker in KnownBrokers(default_known()).load().items() if broker.key == key}


def _before(found: dict[str, KnownBroker]) -> str | None:
    return next((broker.web for broker in found.values() if broker.web and _is_page(broker.web)), None)
