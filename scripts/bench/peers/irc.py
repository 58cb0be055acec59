"""IRC: ngIRCd and InspIRCd.

IRC acknowledges nothing: a PING behind each half of a window shows that the server has read it. ngIRCd leaves
Nagle's delay on, and a receiver that waits with its TCP acknowledgement, as Linux does by default, would make it
look twenty times slower than it is: so all ask for TCP_QUICKACK anew after each read.
"""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from board import BenchError
from cover import Sock
from tls import Tls, certify

from .peer import Peer, covered
from .stream import Address, Receiver, Sender, Stream

QUICKACK = getattr(socket, "TCP_QUICKACK", None)
NETWORK = "bench.local"
LONGEST = 1_000  # bytes: of a longer record ngIRCd reads 2 KiB, and forgets the rest until the client sends more


def quick(sock: Sock) -> None:
    """Have the next data acknowledged at once; the system forgets it after a while."""
    if QUICKACK is not None:
        sock.setsockopt(socket.IPPROTO_TCP, QUICKACK, 1)


def login(stream: Stream, nick: str) -> Iterator[None]:
    """Register; a server may ask for a PONG first."""
    stream.sock.sendall(b"NICK %b\r\nUSER bench 0 * :bench\r\n" % nick.encode())
    yield
    said = b""
    while b" 001 " not in said:
        said = stream.until(b"\r\n")
        if said.startswith(b"PING "):
            stream.sock.sendall(b"PONG " + said[5:])
        elif said.startswith(b"ERROR") or b" 433 " in said:
            raise BenchError(f"the server refused: {said!r}")
    while b" 376 " not in said and b" 422 " not in said:
        said = stream.until(b"\r\n")


class IrcSender(Sender):
    """Speaks from outside of the channel, so that it hears nothing itself; a PONG is good for half a window."""

    ANSWER = b" PONG "
    REFUSED = b"ERROR"
    GROUP = 32
    SYNC = b"PING x\r\n"

    def opening(self) -> Iterator[None]:
        """Register."""
        yield from login(self, f"s{self.number}")

    def shape(self, text: bytes) -> bytes:
        """Return the message."""
        return b"PRIVMSG #%b :%b\r\n" % (self.room.encode(), text)

    def answers(self, end: int) -> int:
        """Count the answers, and let TCP acknowledge the next at once."""
        quick(self.sock)
        return super().answers(end)


class IrcReceiver(Receiver):
    """Joins the channel."""

    PING, PONG = b"PING ", b"PONG :%b\r\n" % NETWORK.encode()

    def opening(self) -> Iterator[None]:
        """Register and join."""
        yield from login(self, f"r{self.number}")
        self.sock.sendall(b"JOIN #%b\r\n" % self.room.encode())
        yield
        self.until(b" 366 ")

    def after_read(self, start: int, end: int, count: int) -> None:
        """Let TCP acknowledge at once what comes next."""
        quick(self.sock)


def _ngircd(folder: Path, address: Address, covered: str = "") -> list[str]:
    (folder / "ngircd.conf").write_text(
        f"""[Global]
Name = {NETWORK}
Info = bench
Listen = {address.host}
Ports = {address.second if covered else address.port}
MotdPhrase = bench
PidFile =
[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
MaxJoins = 0
MaxPenaltyTime = 0
PingTimeout = 120
PongTimeout = 60
[Options]
DNS = no
Ident = no
PAM = no
{covered}"""
    )
    (folder / "ngircd.conf").chmod(0o644)
    return [NGIRCD.path(), "-n", "-f", str(folder / "ngircd.conf")]


def _ngircd_tls(folder: Path, address: Address) -> list[str]:
    cert, key = certify(folder)
    group = folder / "dh.pem"  # it would compute one of its own, at each start
    return _ngircd(
        folder, address, f"[SSL]\nCertFile = {cert}\nKeyFile = {key}\nDHFile = {group}\nPorts = {address.port}\n"
    )


def _inspircd(folder: Path, address: Address, profile: str = "", uses: str = "") -> list[str]:
    (folder / "inspircd.conf").write_text(
        f"""<config format="xml">
<server name="{NETWORK}" description="bench" network="bench">
<admin name="bench" nick="bench" email="bench@bench.local">
{profile}<bind address="{address.host}" port="{address.port}" type="clients"{uses}>
<connect name="all" allow="*" timeout="60" pingfreq="2m" hardsendq="1G" softsendq="1G" recvq="1M" threshold="1000000000"
 commandrate="1000000000" fakelag="no" localmax="20000" globalmax="20000" maxchans="100" resolvehostnames="no"
 useident="no" uniqueusername="no" limit="20000" maxconnwarn="no" modes="">
<options defaultmodes="" >
<performance quietbursts="yes" softlimit="20000" somaxconn="4096" netbuffersize="65534" clonesonconnect="no">
<path datadir="{folder}" logdir="{folder}" runtimedir="{folder}">
<pid file="{folder}/pid">
<log method="file" type="* -USERINPUT -USEROUTPUT" level="default" target="{folder}/log">
"""
    )
    return [INSPIRCD.path(), "--runasroot", "--nofork", f"--config={folder}/inspircd.conf"]


def _inspircd_tls(folder: Path, address: Address) -> list[str]:
    cert, key = certify(folder)
    profile = f'<sslprofile name="bench" provider="gnutls" certfile="{cert}" keyfile="{key}">\n'
    return _inspircd(folder, address, f'<module name="ssl_gnutls">\n{profile}', ' sslprofile="bench"')


_COMMON: dict[str, Any] = {"sender": IrcSender, "receiver": IrcReceiver}
NGIRCD = Peer(
    key="ngircd",
    name="ngIRCd",
    program="ngircd",
    package="ngircd",
    command=_ngircd,
    together=8,
    limits="its clients clear Nagle's delay by TCP_QUICKACK",
    **_COMMON,
)
INSPIRCD = Peer(key="inspircd", name="InspIRCd", program="inspircd", package="inspircd", command=_inspircd, **_COMMON)
NGIRCD_TLS = covered(
    NGIRCD,
    Tls(longest=LONGEST),
    _ngircd_tls,
    "its clients clear Nagle's delay by TCP_QUICKACK, and put at most 1,000 bytes into a record",
)
INSPIRCD_TLS = covered(INSPIRCD, Tls(), _inspircd_tls)
