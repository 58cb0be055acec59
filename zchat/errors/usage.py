"""The call itself is wrong: what was given is no address, no link, not known here."""

from .base import ZchatError


class UsageError(ZchatError):
    """The call itself is wrong."""

    exit_code = 2


class BadEndpointError(UsageError):
    """An address that ZeroMQ cannot use."""

    def __init__(self, endpoint: str, why: str) -> None:
        self.endpoint, self.why = endpoint, why
        super().__init__(
            f"{endpoint!r} is not an address that can be used ({why}). "
            "Write it as tcp://127.0.0.1:5555 or ipc:///path/to/socket."
        )


class BadLinkError(UsageError):
    """A link that does not lead to a broker. `kind` is `no_key`, `cut_short`, `typo` or `host`.

    `link` is what is shown of it, without key and code: a code is a secret.
    """

    def __init__(self, link: str, kind: str, why: str) -> None:
        self.link, self.kind = link, kind
        super().__init__(
            f"The link {link}/… cannot be used: {why}. It is written zchat://HOST[:PORT]/KEY[/CODE]: "
            "copy it again, whole, or ask for it again."
        )


class UnknownBrokerError(BadEndpointError):
    """`name` is no address, and no broker is known here by it; `known` are the names that are."""

    def __init__(self, name: str, known: tuple[str, ...] = ()) -> None:
        super().__init__(name, "no broker is known here by that name")
        self.name, self.known = name, known
        others = f" Known are: {', '.join(known)}." if known else ""
        self.args = (
            f"{name!r} is not an address that can be used, and no broker is known here by that name.{others} Give its "
            "link (zchat://…), which somebody who is in can make with `zchat invite`, or an address: "
            "tcp://127.0.0.1:5555 or ipc:///path/to/socket.",
        )
