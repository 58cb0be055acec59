"""How a client comes in: registration, and what it asks of others — whose a password is, whether a nick is free."""

import logging
from collections.abc import Callable

from zchat.errors import RefusedError, ZchatError
from zchat.gateways.people.person import Person

from .client import Client
from .commands.login import token_of
from .core.caps import Caps
from .core.lines import Line, line
from .core.numerics import told
from .core.refusals import refused
from .core.registration import Enter, Leave, Prove, Registration, Step
from .core.sasl import Sasl
from .core.scene import Face, Persona, Scene, user_of
from .home import Home
from .wire import Wire

log = logging.getLogger(__name__)

TRIES = 5  # logins of one connection
NICKS = 10  # that one connection asks the broker for before it is in
OF_NICKS = ("bad_nick", "nick_taken")
REALNAME_MAX = 128  # characters
HOW = "log in with SASL PLAIN: the password comes from `zchat irc password`, or is the code of an invitation"
USED = (
    "{nick} came in by this invitation already, and was told a password then: that is to be given now. If it is lost, "
    "zchat irc password makes another; where the gateway runs, with --for {nick}. Or are you somebody else? "
    "Then take another nick"
)


class ComingIn:
    """A connection until it is in: then `entered` is called with its client."""

    def __init__(self, home: Home, wire: Wire, address: str, entered: Callable[[Client], None], *, tls: bool) -> None:
        self.person: Person | None = None
        self.token: str | None = None  # of the login of a member
        self.password: str | None = None  # that a new member is to be told
        self.registration = Registration(Caps(tls), Sasl(("PLAIN", "EXTERNAL") if tls else ("PLAIN",)))
        self._home, self._wire, self._address, self._entered = home, wire, address, entered
        self._tries = self._nicks = 0

    async def take(self, got: Line) -> None:
        """Carry out a line."""
        await self._steps(self.registration.receive(got))

    async def _steps(self, steps: list[Step]) -> None:
        for step in steps:
            match step:
                case Line():
                    self._wire.send([step])
                case Leave(why):
                    self._wire.end(why, [closing(why)])
                case Prove():
                    await self._steps(await self._prove(step))
                case Enter():
                    await self._enter()

    # -- the session of who comes in: held, for a client may take longer until it is in than one lives that nobody uses

    def _keep(self, person: Person) -> None:
        self.let_go()
        person.hold()
        self.person = person

    def let_go(self) -> Person | None:
        """Hold the session no more; return whose it was."""
        person, self.person = self.person, None
        if person is not None:
            person.release()
        return person

    # -- members

    async def _prove(self, step: Prove) -> list[Step]:
        """Find out whose a password or a certificate is."""
        self._tries += 1
        if self._tries > TRIES:
            return [*self.registration.refused("too many tries", step), Leave("too many tries")]
        try:
            person, token = await self._whose(step)
        except ZchatError as error:
            log.info("no login from %s: %s", self._address, error)
            if isinstance(error, RefusedError) and error.code in OF_NICKS and self.registration.nick:
                self._tries -= 1
                return self._refuse_nick(error, step)
            why = error.message if isinstance(error, RefusedError) else str(error)
            return self.registration.refused(why, step)
        self._keep(person)
        self.token, session = token, person.client
        nick = self._home.names.world.nicks.to_irc(session.nick or "")
        return self.registration.proved(nick, f"{nick}!{session.role}@{person.id}", step)

    async def _whose(self, step: Prove) -> tuple[Person, str]:
        """Return who has proved to be who, and the token of their login. Raises RefusedError, UnreachableError …"""
        people, password = self._home.people, step.proof.password
        if password is None:
            if (certificate := self._wire.stream.certificate) is None:
                raise RefusedError("bad_certificate", "your client has shown no certificate")
            token = token_of(certificate)
            return await people.login(token), token
        token = password.rpartition(":")[2].strip()  # as a server's password some clients send `nick:password`
        if people.logins.find(token) is not None:
            return await people.login(token), token
        if not self._home.may_try(self._address):
            raise RefusedError("rate_limited", "too many tries from your address: wait a little")
        return await self._redeem(token, self._home.names.world.nick_typed(self.registration.nick or step.proof.name))

    async def _redeem(self, code: str, nick: str) -> tuple[Person, str]:
        """Use up a code. That for a device of one's own is one's password from now on; that of an invitation never is.

        Others may have the same invitation, and with it they are not to come in as who came by it first.
        """
        people, used = self._home.people, used_by(code, nick)
        if people.logins.find(used) is not None:
            raise RefusedError("bad_invite", USED.format(nick=nick))
        own = people.is_own_code(code)
        person, token = await people.redeem(code, nick or None, kind="password", name="IRC")
        person.hold()
        try:
            if own or await has_other_devices(person):
                people.logins.forget(token)
                return person, people.logins.add(person.id, "password", code, "IRC")
            people.logins.add(person.id, "invited", used)
        finally:
            person.release()
        self.password = token
        return person, token

    # -- all

    async def _enter(self) -> None:
        """Let the client in: as who it has proved to be, or as a guest."""
        if self.person is None:
            await self._enter_as_guest(self.registration.nick)
        if self.person is None:
            return
        person, home, session = self.person, self._home, self.person.client
        world = home.names.world
        places = home.places_of(self.token) if self.token is not None else None
        scene = Scene(world, self.registration.caps, session.nick or "", person.id)
        registration = self.registration
        if not home.carried(person).clients:  # else it is called as its first client has it
            world.told(person.id, Persona(user_of(registration.user), registration.realname.strip()[:REALNAME_MAX]))
        world.faces.note(scene.nick, Face(person.id, session.role))
        self._entered(Client(home, self._wire, scene, home.carried(person), places))

    def _refuse_nick(self, error: RefusedError, proving: Prove | None = None) -> list[Step]:
        """Tell that a nick cannot be had: the client may try another, but not many."""
        self._nicks += 1
        asked = self.registration.nick
        self.registration.nick_refused(proving)
        shown = refused(error, "NICK", "*", asked)
        return [shown, Leave("too many nicks were tried")] if self._nicks >= NICKS else [shown]

    async def _enter_as_guest(self, asked: str) -> None:
        try:
            self._keep(await self._home.guest(self._home.names.world.nick_typed(asked)))
        except RefusedError as error:
            if error.code in OF_NICKS:
                await self._steps(self._refuse_nick(error))
                return
            stranger = error.code == "not_member"
            words = f"{error.message}; {HOW}" if stranger else error.message
            self._wire.send([told("464" if stranger else "465", self.registration.shown, words)])
            self._wire.end("it may not come in", [closing(words)])
        except ZchatError as error:
            self._wire.end("no broker", [closing(str(error))])


def used_by(code: str, nick: str) -> str:
    """Return as what it is remembered that an invitation has brought in somebody of this nick. No password is so.

    Else the client of somebody who has kept the code for a password would take the next nick that it knows: the nick
    is taken, and by whom a server cannot see. They would come in as somebody else, without a word.
    """
    return f"\0invitation:{code}:{nick.casefold()}"


async def has_other_devices(person: Person) -> bool:
    """Say whether a member is known to come in by something else than this gateway, too.

    Who comes by an invitation does not. If the broker does not answer, it may be one: the code is used up, and who has
    given it is told a password in any case.
    """
    try:
        members = await person.client.administration.members()
    except ZchatError:
        return False
    mine = next((each for each in members if each.from_ == person.id), None)
    return mine is not None and len(mine.devices or ()) > 1


def closing(why: str) -> Line:
    """Return the last line of a connection."""
    return line(None, "ERROR", f"Closing link: {why}")
