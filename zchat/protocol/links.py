"""Links to brokers, `zchat://HOST[:PORT][,HOST[:PORT]]/KEY[/CODE]`, and the texts in which keys are written.

A link is all that one needs to reach a broker, to know it again, and to come in: where it is, its public key, and
perhaps the code of an invitation. People send links through chats and type them from a screen, so key and code are
base32 (no character that a shell or a chat would touch, case does not matter), and both end with a checksum: two bytes
of the SHA-256 of what is before them. So a typo is told as one, and not as a broker that does not answer or an
invitation that does not count. What is read is written again in one form only: lower case, without the default port.

A key has four forms: 32 bytes; in a link, with its checksum; `key:…`, the credential, which is compared and has none;
and Z85, which libzmq's options take.
"""

import base64
import contextlib
import hashlib
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from zchat.errors import BadEndpointError, BadLinkError

from . import endpoints

SCHEME = "zchat://"
PORT = 5555  # where a link names none
HOSTS_MAX = 16  # of one link
KEY_BYTES, CODE_BYTES, CHECKSUM_BYTES = 32, 16, 2
CREDENTIAL = "key:"

_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_.])?")
_B85 = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
_Z85 = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"


class BadKeyError(ValueError):
    """A text is no key; the exception's text tells a person why."""


class _FaultError(Exception):
    """What is wrong with a part of a link: a word for programs, and words for people."""


@dataclass(frozen=True)
class BrokerLink:
    """What a link says: where the broker is, its public key (32 bytes), and the code of an invitation, if any."""

    hosts: tuple[tuple[str, int], ...]  # an IPv6 address without its brackets
    key: bytes
    code: str | None = field(default=None, repr=False)  # a secret until it is used up: it is in no log

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Where to connect to, in the order in which to try."""
        return tuple(f"tcp://{endpoints.bracketed(host)}:{port}" for host, port in self.hosts)

    @property
    def is_local(self) -> bool:
        """Whether it leads to the machine on which it is followed, and so nobody else here."""
        return all(endpoints.is_loopback(host) for host, _ in self.hosts)

    @property
    def text(self) -> str:
        """The link, as it is given to people."""
        where = ",".join(endpoints.bracketed(host) + (f":{port}" if port != PORT else "") for host, port in self.hosts)
        return f"{SCHEME}{where}/{encode_key(self.key)}" + (f"/{self.code}" if self.code else "")


def is_link(text: str) -> bool:
    """Return whether a text is meant to be a link."""
    return text[: len(SCHEME)].lower() == SCHEME


def parse(link: str) -> BrokerLink:
    """Read a link. Raises BadLinkError; its `kind` is `no_key`, `cut_short`, `typo` or `host`."""
    where, *rest = link[len(SCHEME) :].strip().lower().split("/")
    try:
        if not is_link(link):
            raise _FaultError("host", f"it does not begin with {SCHEME}")
        hosts = parse_hosts(where)
        if not rest or rest == [""]:
            raise _FaultError("no_key", "the broker's key is missing")
        if len(rest) > 2:
            raise _FaultError("typo", "there is more behind its code")
        key = _unseal(rest[0], KEY_BYTES, "key")
        code = _seal(_unseal(rest[1], CODE_BYTES, "code")) if len(rest) == 2 else None
    except (BadEndpointError, _FaultError) as error:
        kind, why = ("host", f"{error.endpoint!r}: {error.why}") if isinstance(error, BadEndpointError) else error.args
        raise BadLinkError(SCHEME + where, kind, why) from None
    return BrokerLink(hosts, key, code)


def brokers(told: Iterable[str], endpoint: str, key: bytes | None) -> tuple[str, ...]:
    """Return at which endpoints one may go on who came to `endpoint`, and is told `welcome.brokers`.

    Nobody goes where the connection proves less: one who knows the broker by its `key` follows only links with that
    key, and one without a key only endpoints of the same transport.
    """
    found: list[str] = []
    for each in told:  # what a broker tells may be anything
        with contextlib.suppress(BadLinkError, BadEndpointError):
            if is_link(each):
                link = parse(each)
                found += link.endpoints if link.key == key else ()
            elif key is None and each.partition("://")[0] == endpoint.partition("://")[0]:
                endpoints.check(each)
                found.append(each)
    return tuple(dict.fromkeys(found))[:HOSTS_MAX]


def parse_hosts(text: str) -> tuple[tuple[str, int], ...]:
    """Read `HOST[:PORT][,HOST[:PORT]]`. Raises BadEndpointError."""
    found = tuple(_host(each) for each in text.lower().split(","))
    if len(found) > HOSTS_MAX:
        raise BadEndpointError(text, f"it names more than {HOSTS_MAX} hosts")
    return found


def encode_key(key: bytes) -> str:
    """Return a public key as it stands in a link: 55 characters."""
    return _seal(key)


def decode_key(text: str) -> bytes:
    """Read a public key as it stands in a link. Raises BadKeyError."""
    try:
        return _unseal(text.lower(), KEY_BYTES, "key")
    except _FaultError as fault:
        raise BadKeyError(fault.args[1]) from None


def encode_code(random: bytes) -> str:
    """Return the code of an invitation, made of 16 random bytes: 29 characters."""
    return _seal(random)


def code_in(text: str) -> str:
    """Return the code in what was pasted: a code, a link that ends with one, or the link of a page (`#in=`)."""
    return text.strip().rpartition("/")[2].removeprefix("#in=").lower()


def decode_code(text: str) -> bytes:
    """Read the code of an invitation. Raises BadKeyError."""
    try:
        return _unseal(text, CODE_BYTES, "code")
    except _FaultError as fault:
        raise BadKeyError(fault.args[1]) from None


def invitation_hash(code: str) -> str:
    """Return what a broker knows of a code: it can be compared, and tells nobody the code."""
    return hashlib.sha256(code.encode()).hexdigest()


def key_text(key: bytes) -> str:
    """Return the credential of who has this public key: `key:` and 52 characters."""
    return CREDENTIAL + _base32(key)


def is_key(credential: str) -> bool:
    """Return whether a credential is a key; the others are users of the broker's machine, or "" for nothing."""
    return credential.startswith(CREDENTIAL)


def key_bytes(text: str) -> bytes:
    """Read a credential that is a key. Raises BadKeyError."""
    try:
        key = _unbase32(text.removeprefix(CREDENTIAL), KEY_BYTES, "key")
    except _FaultError as fault:
        raise BadKeyError(fault.args[1]) from None
    if not text.startswith(CREDENTIAL):
        raise BadKeyError(f"it does not begin with {CREDENTIAL}")
    return key


def z85(key: bytes) -> bytes:
    """Return a key as libzmq's options take it: 40 characters (ZeroMQ's RFC 32)."""
    return base64.b85encode(key).translate(bytes.maketrans(_B85, _Z85))


def from_z85(text: bytes) -> bytes:
    """Return the 32 bytes of a key that libzmq made. Raises BadKeyError."""
    if len(text) != 40 or not set(text) <= set(_Z85):
        raise BadKeyError("it is no key in Z85")
    try:
        return base64.b85decode(text.translate(bytes.maketrans(_Z85, _B85)))
    except ValueError:  # five characters that say more than four bytes hold
        raise BadKeyError("it is no key in Z85") from None


def _host(text: str) -> tuple[str, int]:
    """Read `HOST[:PORT]`."""
    host, bracket, port = text.partition("]") if text.startswith("[") else text.partition(":")
    if bracket == "]":
        try:
            host = str(ipaddress.IPv6Address(host[1:]))
        except ValueError:
            raise BadEndpointError(text, "this is no IPv6 address") from None
        bracket, port = port[:1], port[1:]
    elif not _HOST.fullmatch(host):
        raise BadEndpointError(text, "this is no name of a host")
    if bracket not in ("", ":") or not re.fullmatch(r"[0-9]{0,5}", port):
        raise BadEndpointError(text, "behind the host comes a colon and the port, or nothing")
    if bracket:
        endpoints.check(f"tcp://{host}:{port}")
    return host, int(port) if bracket else PORT


def _seal(content: bytes) -> str:
    return _base32(content + hashlib.sha256(content).digest()[:CHECKSUM_BYTES])


def _unseal(text: str, size: int, what: str) -> bytes:
    sealed = _unbase32(text, size + CHECKSUM_BYTES, what)
    content, checksum = sealed[:size], sealed[size:]
    if hashlib.sha256(content).digest()[:CHECKSUM_BYTES] != checksum:
        raise _FaultError("typo", f"there is a typo in its {what}")
    return content


def _base32(content: bytes) -> str:
    return base64.b32encode(content).decode().rstrip("=").lower()


def _unbase32(text: str, size: int, what: str) -> bytes:
    """Read `size` bytes; only the text that `_base32` makes of them is taken."""
    length = -(-size * 8 // 5)
    if len(text) < length:
        raise _FaultError("cut_short", f"its {what} is cut short: {len(text)} characters of {length}")
    if len(text) > length:
        raise _FaultError("typo", f"its {what} has {len(text)} characters instead of {length}")
    try:
        content = base64.b32decode(text.upper() + "=" * (-length % 8))
    except ValueError:
        content = b""
    if _base32(content) != text:
        raise _FaultError("typo", f"there is a typo in its {what}")
    return content
