"""The brokers that this user has been at: `brokers.toml`, which is to zchat what known_hosts is to ssh.

A link tells the key of a broker once. From then on the broker has a name here, and its key is the one in this file: a
later link with another key for the same host is not followed. A name is the first host of the link; a port that is not
the usual one belongs to it.

Several processes may learn of brokers at the same time. So the file is changed under a lock: read, changed, written
beside and put in its place. What is in it beyond what is known here is kept.
"""

from pathlib import Path
from typing import Any

import msgspec

from zchat import files
from zchat.errors import ChangedKeyError, StateFileError, StorageError, UsageError
from zchat.protocol import endpoints as endpoint
from zchat.protocol import links


class KnownBroker(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of one: where it is, its public key (`key:…`), one's nick there, and where its page is."""

    endpoints: tuple[str, ...]
    key: str
    nick: str | None = None
    web: str | None = None

    def __post_init__(self) -> None:
        links.key_bytes(self.key)
        if not self.endpoints:
            raise ValueError("it is nowhere")
        for each in self.endpoints:
            endpoint.check(each)


class KnownBrokers:
    """The file at `path`. Its methods raise StorageError for one that holds something else (left untouched)."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> dict[str, KnownBroker]:
        """Return all known brokers by their names."""
        content = self._read()
        try:
            return msgspec.convert(content, dict[str, KnownBroker])
        except (ValueError, UsageError) as error:
            raise self._damaged(error) from None

    def find(self, name: str) -> tuple[str, KnownBroker] | None:
        """Return the broker of this name, which may leave the port away where only one has that host."""
        known, name = self.load(), name.lower()
        if name in known:
            return name, known[name]
        same_host = [each for each in known if each.rpartition(":")[0] == name]
        return (same_host[0], known[same_host[0]]) if len(same_host) == 1 else None

    def check(self, link: links.BrokerLink) -> None:
        """Refuse a link that has another key than the broker known at one of its places. Raises ChangedKeyError."""
        key = links.key_text(link.key)
        for name, known in self.load().items():
            if known.key != key and set(known.endpoints).intersection(link.endpoints):
                raise ChangedKeyError(name, self.path, self._line(name))

    def remember(self, name: str, broker: KnownBroker) -> None:
        """Keep a broker under its name, or what is new about it. Raises StorageError."""
        if self.load().get(name) == broker:
            return
        try:
            with files.locked(self.path.with_name(self.path.name + ".lock")):
                content = self._read()
                entry = content.setdefault(name, {})
                entry |= msgspec.to_builtins(broker)
                files.rewrite(self.path, msgspec.toml.encode(content))
        except OSError as error:
            raise StateFileError(self.path, "written", error) from error

    def _read(self) -> dict[str, Any]:
        try:
            files.tighten(self.path)
            return msgspec.toml.decode(self.path.read_bytes(), type=dict[str, dict[str, Any]])
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise StateFileError(self.path, "read", error) from error
        except (ValueError, RecursionError) as error:
            raise self._damaged(error) from None

    def _damaged(self, why: Exception) -> StorageError:
        return StorageError(
            f"{self.path} does not hold the brokers known here ({why}). It was left untouched: correct it, or move it "
            "away and join with links again."
        )

    def _line(self, name: str) -> int:
        """Return the line in which the entry of a name begins."""
        heads = {f"[{name}]", f'["{name}"]', f"['{name}']"}
        lines = self.path.read_text("utf-8").splitlines()
        return next((number for number, line in enumerate(lines, 1) if line.strip() in heads), 1)


def name_of(link: links.BrokerLink) -> str:
    """Return the name under which the broker of a link is known."""
    host, port = link.hosts[0]
    return host if port == links.PORT else f"{f'[{host}]' if ':' in host else host}:{port}"
