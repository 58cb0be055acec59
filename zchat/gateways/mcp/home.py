"""What one agent keeps on disk, in DATA/mcp: its key, the broker it was invited to, what is unanswered, and its audit.

Each agent has files of its own, by its nick. So it is a member of its own, and never speaks with the key of whoever
runs it.
"""

import hashlib
import re
import secrets
from pathlib import Path

from zchat import files
from zchat.client.addresses import Address, default_known, resolve
from zchat.client.client import ChatClient
from zchat.client.known_brokers import KnownBrokers
from zchat.errors import FolderError, StorageError
from zchat.version import __version__

TOKEN_MIN = 32  # characters: fewer can be guessed


class Home:
    """The files of the agent called `nick`."""

    def __init__(self, data: Path, nick: str) -> None:
        self.nick = nick
        safe = re.sub(r"[^\w.-]", "_", nick)
        digest = "" if safe == nick else "-" + hashlib.sha256(nick.encode()).hexdigest()[:8]
        self._beside = data / "mcp" / f"{safe}{digest}"

    def path(self, suffix: str) -> Path:
        return self._beside.with_name(self._beside.name + suffix)

    @property
    def audit(self) -> Path:
        """What the agent did, as lines of JSON."""
        return self.path(".audit.jsonl")

    def address(self, broker: str | None) -> Address:
        """Return the broker that is meant; without one, that to which the agent was invited.

        Raises UsageError, ChangedKeyError, StorageError.
        """
        own = KnownBrokers(self.path(".brokers.toml"))
        invited = None if broker else next(reversed(own.load()), None)
        return resolve(broker or invited, (own, KnownBrokers(default_known())))

    def client(self, address: Address, timeout: float, feed: str | None) -> ChatClient:
        """Return the client that the agent speaks through, not yet connected.

        Its outbox keeps who it is where no key proves that, so that what it says again after a kill is said once.
        """
        return ChatClient(
            self.nick, address, timeout=timeout, feed=feed, bot=True, software=f"zchat-mcp/{__version__}",
            identity=self.path(".key"), outbox=self.path(".outbox"),
        )  # fmt: skip

    def token(self) -> str:
        """Return the token with which a host proves that it is this agent's, made at the first time.

        Raises StorageError.
        """
        path = self.path(".token")
        try:
            files.folder(path.parent)
            if not path.exists():
                files.rewrite(path, secrets.token_urlsafe(32).encode() + b"\n")
            files.tighten(path)
            token = path.read_text().strip()
        except OSError as error:
            raise FolderError(path.parent, error) from error
        if len(token) < TOKEN_MIN:
            raise StorageError(f"{path} holds no token of {TOKEN_MIN} characters or more: remove it, to have one made.")
        return token
