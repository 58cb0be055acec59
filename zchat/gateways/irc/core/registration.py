"""How a client comes in: CAP, PASS, NICK, USER and AUTHENTICATE, in any order, as a state machine without sockets.

It ends in `Enter`, once there are a nick and a user and no negotiation is open. What has to be asked of others is a
step on the way: `Prove` for a password or a certificate. `proved` and `refused` tell what came of it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from .caps import Caps
from .lines import Line, line
from .numerics import SERVER, reply, told
from .sasl import Proof, Sasl, SaslError


@dataclass(frozen=True)
class Prove:
    """Find out whose this is. `sasl` says whether the client waits for a numeric of SASL."""

    proof: Proof
    sasl: bool


@dataclass(frozen=True)
class Enter:
    """All is there: let the client in."""


@dataclass(frozen=True)
class Leave:
    """The connection ends, for a reason that is told."""

    why: str


Step = Line | Prove | Enter | Leave


@dataclass
class Registration:
    """One client until it is in."""

    caps: Caps
    sasl: Sasl
    nick: str = ""
    user: str = ""
    realname: str = ""
    password: str | None = None
    logged_in: bool = False
    _asked: bool = field(default=False)  # about the password
    _unnamed: Prove | None = None  # what has proved somebody who waits for a nick that can be had

    def receive(self, got: Line) -> list[Step]:
        """Take a line; return what to do."""
        known = _COMMANDS.get(got.command)
        if known is None:
            return [reply("451", self.shown)]
        take, needed = known
        if len(got.params) < needed:
            return [reply("431", self.shown) if got.command == "NICK" else reply("461", self.shown, got.command)]
        return [*take(self, got.params), *self._onwards()]

    def proved(self, account: str, mask: str, proving: Prove) -> list[Step]:
        """The proof was right: who one is is known by now."""
        self.logged_in = True
        logged_in = told("900", self.shown, mask, account, f"You are now logged in as {account}")
        done = [reply("903", self.shown)] if proving.sasl else []
        return [logged_in, *done, *self._onwards()]

    def refused(self, why: str, proving: Prove) -> list[Step]:
        """The proof was wrong, and `why` is for people."""
        if proving.sasl:
            return [told("904", self.shown, f"SASL authentication failed: {why}")]
        return [told("464", self.shown, why), Leave(why)]

    def nick_refused(self, proving: Prove | None = None) -> None:
        """The nick cannot be had: the client is to send another, and what was to be proved is tried again then."""
        self.nick, self._unnamed = "", proving

    @property
    def shown(self) -> str:
        """What the client is called in replies."""
        return self.nick or "*"

    def _onwards(self) -> list[Step]:
        if self.nick and self._unnamed is not None:
            proving, self._unnamed = self._unnamed, None
            return [proving]
        if not (self.nick and self.user) or self.caps.negotiating or self.sasl.mechanism:
            return []
        if self.password is not None and not self.logged_in:
            if self._asked:
                return []
            self._asked = True
            return [Prove(Proof(self.nick, self.password), sasl=False)]
        return [Enter()]

    def _cap(self, params: list[str]) -> list[Step]:
        return list(self.caps.receive(SERVER, self.shown, params, registered=False))

    def _pass(self, params: list[str]) -> list[Step]:
        self.password = params[0]
        return []

    def _nick(self, params: list[str]) -> list[Step]:
        if not params[0]:
            return [reply("431", self.shown)]
        self.nick = params[0]
        return []

    def _user(self, params: list[str]) -> list[Step]:
        if not params[0]:
            return [reply("461", self.shown, "USER")]
        self.user, self.realname = params[0], params[3]
        return []

    def _authenticate(self, params: list[str]) -> list[Step]:
        self._unnamed = None
        return list(authenticate(self.caps, self.sasl, self.shown, params[0], self.logged_in))

    def _ping(self, params: list[str]) -> list[Step]:
        return [line(SERVER, "PONG", SERVER, params[0])]

    def _quit(self, _params: list[str]) -> list[Step]:
        return [Leave("you have quit")]

    def _nothing(self, _params: list[str]) -> list[Step]:
        return []


def authenticate(caps: Caps, sasl: Sasl, nick: str, word: str, logged_in: bool) -> list[Line | Prove]:
    """Take an AUTHENTICATE, before or after one is in."""
    if not caps.has("sasl"):
        return [told("904", nick, "SASL authentication failed: ask for the capability sasl first")]
    if logged_in:
        return [reply("907", nick)]
    try:
        proof = sasl.receive(word)
    except SaslError as error:
        if error.numeric == "908":
            shown = told("908", nick, ",".join(sasl.mechanisms), "are available SASL mechanisms")
            return [shown, reply("904", nick)]
        return [reply(error.numeric, nick)]
    if proof is not None:
        return [Prove(proof, sasl=True)]
    return [line(None, "AUTHENTICATE", "+")] if sasl.is_fresh else []


_Taking = Callable[[Registration, list[str]], list[Step]]
_COMMANDS: dict[str, tuple[_Taking, int]] = {  # how each is taken, and how many parameters it needs
    "CAP": (Registration._cap, 0),
    "PASS": (Registration._pass, 1),
    "NICK": (Registration._nick, 1),
    "USER": (Registration._user, 4),
    "AUTHENTICATE": (Registration._authenticate, 1),
    "PING": (Registration._ping, 1),
    "PONG": (Registration._nothing, 0),
    "QUIT": (Registration._quit, 0),
}
