"""Who may do what: every command of the protocol, by everybody, to everybody, in every kind of room.

A small model here says what must be answered, from the table in `zchat/protocol/policy.py` and from what is not in it:
who operates a room, who is banned or muted, and who was let in. It knows nothing of how the broker decides. Each
question is put to a broker with all these people in it; a broker whom an answer has changed is made anew.
"""

import hashlib
import itertools
from collections.abc import Callable, Iterator
from functools import cache

import pytest

from tests.broker.dialogue import NOON, Json, Peer
from tests.broker.team import OTHER, OWN, TERMS, Team, do, key, who_is
from zchat.broker.core.entrance import Terms
from zchat.broker.core.entries import Place
from zchat.broker.core.shelf import NoFiles
from zchat.broker.store import Attached, Store
from zchat.protocol import links
from zchat.protocol import messages as m
from zchat.protocol.policy import GUEST, MEMBER, MODERATOR, OWNER, RANKS, TABLE, may

ROLES = {
    "loopback": GUEST,
    "user": GUEST,  # of this machine, as somebody else than a member
    "open key": GUEST,
    "member": MEMBER,
    "muted": MEMBER,
    "operator": MEMBER,
    "moderator": MODERATOR,
    "owner": OWNER,
}
OUTSIDE = ("banned", "nobody", "stranger")  # who have no session
TARGETS = {"gus": GUEST, "away": MEMBER, "tim": MEMBER, "mo": MODERATOR, "odd": OWNER, "ban": MEMBER, "mum": MEMBER}
UNKNOWN = "f" * 16
INSIDERS = ("member", "muted", "operator", "moderator", "owner", "tim")  # of +ops
PUBLIC, ANNOUNCE, INSIDE, ELSEWHERE, NOWHERE = "general", "news", "+ops", "+den", "+none"
ROOMS = (PUBLIC, ANNOUNCE, INSIDE, ELSEWHERE, NOWHERE)
OK = "ok"


def file_in(room: str) -> str:
    """Return the name of a file that a message in a room carries."""
    return hashlib.sha256(room.encode()).hexdigest()


class Shelf(NoFiles):
    """Files of which nobody has anything but what messages carry."""

    def __init__(self, store: Store) -> None:
        self._attached = Attached(store)

    def carriers(self, file: str) -> Iterator[Place]:
        return self._attached.places(file)


class Cast(Team):
    """All of them, in one broker. `open` for the one who comes by any key."""

    def __init__(self, open_: bool) -> None:
        self.peers: dict[str, Peer] = {}
        store = Store(None, "0" * 32, NOON)
        _log().connection.backup(store.connection)
        store._begin("")
        terms = Terms(open=open_, owners=TERMS.owners, login=TERMS.login)
        super().__init__(store=store, terms=terms)
        for name in ("member", "muted", "operator", "moderator", "owner", "tim", "mo", "odd", "mum"):
            self.peers[name] = self.come(key(name), device=name)
        self.peers["loopback"] = self.hello("loopback")
        self.peers["gus"] = self.hello("gus")
        self.peers["user"] = self.come(OTHER, nick="uwe")
        if open_:
            self.peers["open key"] = self.come(key("any"), nick="any")
        self.peers["banned"], self.peers["nobody"] = self.at(key("ban")), self.peer()
        self.peers["stranger"] = self.at(key("stranger"))
        self.froms = dict(_froms()) | {name: who_is(self.peers[name]) for name in ("gus", *ROLES) if name in self.peers}
        self.hub.roster.shelf = Shelf(store)
        for peer in self.peers.values():
            peer.read()

    def answer(self, actor: str, type_: str, fields: Json) -> str:
        """Ask as somebody; return the code of the error, or `ok`."""
        peer = self.peers[actor]
        answers = [line for line in peer.ask(type_, **fields, ref="asked") if line.get("ref") == "asked"]
        if any(line.get("n") == peer.n + 1 and line.get("code") != "no_session" for line in answers):
            peer.n += 1
        return next((line["code"] for line in answers if line["type"] == "error"), OK)


@cache
def _log() -> Store:
    """Return the log of a broker in which all that came about."""
    team = Team()
    names = {"member": "member", "muted": "member", "operator": "member", "moderator": "moderator", "owner": "owner"}
    names |= {"away": "member", "tim": "member", "mo": "moderator", "odd": "owner", "ban": "member", "mum": "member"}
    dan = team.member("dan")
    for name, role in names.items():
        team.people[name] = who_is(team.member(name, role))
    peers = {name: team.come(key(name), device=name) for name in ("operator", "dan")}
    for room, by in ((INSIDE, "operator"), (ELSEWHERE, "dan")):
        assert do(peers[by], "access", room=room, mode="private")["type"] == "ack"
    for name in INSIDERS:
        if name != "operator":
            assert do(peers["operator"], "access", room=INSIDE, admit=team.people[name])["type"] == "ack"
    assert do(team.olga, "access", room=ANNOUNCE, mode="announce")["type"] == "ack"
    assert do(team.olga, "access", room=ANNOUNCE, operator=team.people["operator"])["type"] == "ack"
    for name in ("muted", "mum"):
        assert do(team.olga, "mute", **{"from": team.people[name]})["type"] == "ack"
    assert do(team.olga, "ban", **{"from": team.people["ban"]})["type"] == "ack"
    assert do(team.olga, "invite", hash="0" * 64)["type"] == "ack"
    assert dan.welcome
    for room, peer in (
        (PUBLIC, team.olga),
        (ANNOUNCE, team.olga),
        (INSIDE, peers["operator"]),
        (ELSEWHERE, peers["dan"]),
    ):
        _SAID[room] = int(do(peer, "say", room=room, text="with a file")["seq"])
        sql = "INSERT INTO attached SELECT ?, id, head, '', 1 FROM room WHERE name = ?"
        team.store.connection.execute(sql, (file_in(room), room))
    _FROMS.update(team.people)
    return team.store


_FROMS: dict[str, str] = {}
_SAID: dict[str, int] = {}  # a message, by its room


def _froms() -> dict[str, str]:
    _log()
    return _FROMS


# -- the model: what must be answered

asked_of_the_table: set[str] = set()


def allowed(role: str, action: str, target: str = GUEST) -> bool:
    asked_of_the_table.add(action)
    return may(role, action, target)


class Asked:
    """One question: who asks, of whom, in which room, with which fields."""

    def __init__(self, actor: str, command: type, whom: str, room: str, fields: Json) -> None:
        self.actor, self.command, self.room, self.fields = actor, command, room, fields
        self.whom = actor if whom == "self" else whom
        self.role = ROLES.get(actor, GUEST)
        self.target = ROLES.get(self.whom) or TARGETS.get(self.whom, GUEST)
        self.is_member = self.target != GUEST
        self.is_self = self.whom == actor

    def unless(self, *checks: tuple[bool, str]) -> str:
        """Return the first code whose condition holds."""
        return next((code for wrong, code in checks if wrong), OK)

    @property
    def unseen(self) -> tuple[bool, str]:
        let_in = self.room == INSIDE and self.actor in INSIDERS
        return self.room.startswith("+") and not let_in, "unknown_room"

    @property
    def operates(self) -> bool:
        return self.actor == "operator" and self.room in {INSIDE, ANNOUNCE}

    def needs(self, action: str, aimed: bool = False) -> tuple[bool, str]:
        return not allowed(self.role, action, self.target if aimed else GUEST), "forbidden"


def read(q: Asked) -> str:
    return q.unless(q.needs("read"), q.unseen)


def speak(q: Asked) -> str:
    if not q.room:
        away = q.whom in {"away", "ban"}
        reached = q.whom != UNKNOWN and (not away or allowed(q.target, "be_written_to"))
        return q.unless((q.actor == "muted", "muted"), (not reached, "unknown_nick"))
    quiet = q.room == ANNOUNCE and not q.operates and not allowed(q.role, "speak_in_announce")
    action = "topic" if q.command is m.SetTopic else "speak"
    return q.unless(q.unseen, (q.actor == "muted", "muted"), (quiet, "forbidden"), q.needs(action))


def invite(q: Asked) -> str:
    role = str(q.fields.get("role", MEMBER))
    mine = not allowed(q.role, "invite", role), "forbidden"
    return q.unless(mine, q.unseen, (q.room.startswith("+") and not q.operates, "forbidden"))


def role(q: Asked) -> str:
    return q.unless((not q.is_member, "unknown_member"), q.needs("role", aimed=True))


def credential(q: Asked) -> str:
    mine = (False, "") if q.is_self else q.needs("revoke_keys")
    return q.unless((not q.is_member, "unknown_member"), mine)


def ban(q: Asked) -> str:
    by_key = q.whom == "key"
    nobody = not q.is_member and not by_key and q.whom != "open key"
    return q.unless((nobody, "unknown_member"), q.needs("ban", aimed=True), (q.is_self, "forbidden"))


def unban(q: Asked) -> str:
    by_owner = q.role != OWNER, "forbidden"  # it is an owner who has banned them
    return q.unless(q.needs("ban", aimed=True), (q.whom != "ban", "unknown_member"), by_owner)


def silence(q: Asked) -> str:
    return q.unless(q.needs("mute", aimed=True), (q.whom == UNKNOWN, "unknown_member"), q.unseen)


def mute(q: Asked) -> str:
    return q.unless((silence(q) != OK, silence(q)), (q.is_self, "forbidden"))


def unmute(q: Asked) -> str:
    none = q.whom not in {"muted", "mum"} or q.room != ""
    return q.unless((silence(q) != OK, silence(q)), (none, "unknown_member"), (q.role != OWNER, "forbidden"))


def kick(q: Asked) -> str:
    here = q.whom not in {UNKNOWN, "away", "ban"}
    if not here:
        return q.unless(q.needs("kick"), (True, "unknown_nick"))
    return q.unless((False, "") if q.room and q.operates else q.needs("kick", aimed=True), q.unseen)


def access(q: Asked) -> str:
    private = q.room.startswith("+")
    if "mode" in q.fields:
        taken = q.room in {INSIDE, ELSEWHERE}
        private_mode = q.fields["mode"] == "private"
        wrong = private != private_mode or taken, "forbidden"
        return q.unless(wrong, q.needs("private" if private else "announce"))
    if "keep" in q.fields:
        mine = (private, "forbidden") if private else q.needs("keep")
        return q.unless(q.unseen, (False, "") if q.operates else mine)
    if not private:
        right = "operator" in q.fields and allowed(q.role, "announce")
        return q.unless((not right, "forbidden"), (not q.is_member, "unknown_member"))
    inside = q.whom in INSIDERS
    mine = not q.operates, "forbidden"
    last = "expel" in q.fields and q.is_self  # somebody has to operate the room
    checks = [(q.operates, "forbidden")] if last else [mine, (not inside, "unknown_member")]
    if "admit" in q.fields:
        checks = [mine, (inside, "forbidden"), (not q.is_member, "unknown_member")]
    return q.unless(q.unseen, *checks)


def hello(q: Asked) -> str:
    taken = q.fields["nick"] == "away" and allowed(MEMBER, "keep_nick")
    return q.unless((q.role == GUEST and taken, "nick_taken"))


def mark(q: Asked) -> str:
    return q.unless(q.unseen, (q.whom == UNKNOWN, "unknown_nick"))


def mend(q: Asked) -> str:
    """What is done to a message that somebody else has said; inside, the operator has said it."""
    hidden = q.unseen[0] or q.room == NOWHERE, "bad_target"
    spoken = speak(q) if not hidden[0] else OK
    own = q.room == INSIDE and q.actor == "operator"
    fine = False, ""
    check: dict[type, tuple[bool, str]] = {
        m.Edit: (True, "forbidden"),
        m.Delete: fine if q.operates else q.needs("delete"),
    }
    return q.unless(hidden, (spoken != OK, spoken), fine if own else check.get(q.command, fine))


def free(q: Asked) -> str:
    return OK


Model = Callable[[Asked], str]
Row = tuple[str, str, Json]  # whom, room, fields


def nothing(*fields: Json) -> Iterator[Row]:
    return (("", "", each) for each in fields or ({},))


def rooms(**fields: object) -> Iterator[Row]:
    return (("", room, {"room": room, **fields}) for room in ROOMS)


def said(**fields: object) -> Iterator[Row]:
    _log()
    return (("", room, {"seq": _SAID.get(room, 9_999), **fields}) for room in ROOMS)


def people(field: str = "from", **fields: object) -> Iterator[Row]:
    return ((whom, "", {field: whom, **fields}) for whom in (*TARGETS, "self", UNKNOWN))


def both(field: str = "from", **fields: object) -> Iterator[Row]:
    return ((whom, room, {field: whom, "room": room, **fields}) for whom, _, _ in people() for room in ROOMS)


COMMANDS: dict[type, tuple[Model, Callable[[], Iterator[Row]]]] = {
    m.Hello: (hello, lambda: nothing({"protocol": 1, "nick": "away"}, {"protocol": 1, "nick": "nova"})),
    m.Ping: (free, nothing),
    m.Join: (read, rooms),
    m.Part: (
        lambda q: q.unless(q.unseen, (True, "not_in_room")),
        rooms,
    ),
    m.Say: (speak, lambda: itertools.chain(rooms(text="x"), people("to", text="x"))),
    m.SetTopic: (speak, lambda: (("", room, {"room": room, "text": "topic"}) for room in ROOMS)),
    m.Edit: (mend, lambda: said(text="x")),
    m.Delete: (mend, said),
    m.React: (mend, lambda: said(emoji="x")),
    m.Pin: (mend, said),
    m.AskMentions: (free, nothing),
    m.SetNick: (free, lambda: nothing({"nick": "nova"})),
    m.Away: (free, nothing),
    m.Typing: (read, rooms),
    m.Who: (read, lambda: itertools.chain(rooms(), nothing())),
    m.ListRooms: (free, nothing),
    m.AskHistory: (read, lambda: itertools.chain(rooms(), (("gus", "", {"to": "gus"}),))),
    m.Search: (read, lambda: itertools.chain(rooms(text="x"), nothing({"text": "x"}))),
    m.MarkRead: (mark, lambda: itertools.chain(rooms(seq=1), people("to", seq=1))),
    m.AskScheduled: (free, nothing),
    m.Unschedule: (lambda q: "bad_target", lambda: nothing({"id": 1})),
    m.AskStatus: (free, nothing),
    m.SayBye: (free, nothing),
    m.Invite: (
        invite,
        lambda: itertools.chain(
            nothing(
                {"hash": "1" * 64, "self": True}, *({"hash": "1" * 64, "role": each} for each in RANKS if each != GUEST)
            ),
            (("", room, {"hash": "1" * 64, "rooms": [room]}) for room in ROOMS),
        ),
    ),
    m.Revoke: (
        lambda q: q.unless((q.fields["hash"] != "0" * 64, "bad_invite"), q.needs("revoke_keys")),
        lambda: nothing({"hash": "0" * 64}, {"hash": "2" * 64}),
    ),
    m.SetRole: (role, lambda: ((whom, "", {"from": whom, "role": "any"}) for whom, _, _ in people())),
    m.RemoveCredential: (credential, lambda: ((whom, "", {"from": whom, "remove": whom}) for whom, _, _ in people())),
    m.Ban: (ban, lambda: itertools.chain(people(), (("key", "", {"credential": key("who")}),))),
    m.Unban: (unban, people),
    m.Mute: (mute, lambda: itertools.chain(people(), both())),
    m.Unmute: (unmute, lambda: itertools.chain(people(), both())),
    m.Kick: (kick, lambda: itertools.chain(people(), both())),
    m.SetAccess: (
        access,
        lambda: itertools.chain(
            *(rooms(mode=mode) for mode in ("public", "announce", "private")),
            rooms(keep=30),
            rooms(keep="default"),
            *(both(field) for field in ("admit", "expel", "operator")),
        ),
    ),
    m.Put: (lambda q: q.unless((q.actor == "muted", "muted")), lambda: nothing({"file": "1" * 64, "size": 1})),
    m.Get: (
        lambda q: q.unless((q.unseen[0], "bad_file")),
        lambda: (("", room, {"file": file_in(room)}) for room in ROOMS),
    ),
    m.AskMembers: (lambda q: q.unless(q.needs("members")), nothing),
    m.AskAudit: (lambda q: q.unless(q.needs("audit")), nothing),
}
CHANGES_NOTHING = {
    m.AskMentions,
    m.Put,
    m.Get,
    m.MarkRead,
    m.AskScheduled,
    m.Unschedule,
    m.Ping,
    m.Who,
    m.ListRooms,
    m.AskHistory,
    m.Search,
    m.AskStatus,
    m.AskMembers,
    m.AskAudit,
    m.Typing,
}
OTHER_ROLE = {OWNER: "member", MODERATOR: "member", MEMBER: "moderator", GUEST: "member"}


def name_of(command: type) -> str:
    return str(command.__struct_config__.tag)  # type: ignore[attr-defined]


def filled(cast: Cast, command: type, q: Asked, fields: Json) -> Json:
    """Return the fields as they are sent: people by their `from`, their nick or their key."""
    sent = dict(fields)
    for field in ("from", "admit", "expel", "operator"):
        if field in sent:
            sent[field] = cast.froms.get(q.whom, UNKNOWN)
    if "to" in sent and q.is_self:
        sent["to"] = cast.peers[q.actor].welcome.get("nick", "x")
    if sent.get("role") == "any":
        sent["role"] = OTHER_ROLE[q.target]
    if "remove" in sent:
        sent["remove"] = key(q.whom)
    if command in m.NumberedCommand.__args__:
        sent["n"] = cast.peers[q.actor].n + 1
    return sent


def outside(actor: str, command: type) -> str:
    """Return what is answered to who has no session: hello apart, nobody is told anything but how the broker is."""
    if actor == "stranger":
        return "not_member"
    if command is m.Hello:
        return {"banned": "banned", "nobody": OK}[actor]
    return OK if command in {m.AskStatus, m.SayBye} else "no_session"


@pytest.mark.parametrize("actor", [*ROLES, *OUTSIDE])
def test_everybody_may_do_what_the_table_says_and_nothing_else(actor: str) -> None:
    cast = None
    wrong: list[str] = []
    for command, (model, rows) in COMMANDS.items():
        for whom, room, fields in rows():
            q = Asked(actor, command, whom, room, fields)
            want = model(q) if actor in ROLES else outside(actor, command)
            if actor == "nobody" and command is m.Hello:
                want = model(q)
            cast = cast or Cast(actor == "open key")
            got = cast.answer(actor, name_of(command), filled(cast, command, q, fields))
            if got != want:
                wrong.append(f"{actor}: {name_of(command)} {fields} of {q.whom!r}: {got}, not {want}")
            if (got == OK and command not in CHANGES_NOTHING) or actor == "stranger" or command is m.Hello:
                cast = None
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("actor", [*ROLES, *OUTSIDE])
def test_the_numbers_are_told_to_whom_the_table_says(actor: str) -> None:
    cast = Cast(actor == "open key")
    role = GUEST if actor in OUTSIDE else ROLES[actor]
    (told,) = cast.peers[actor].ask("status", numbers=True)[:1]
    assert ("numbers" in told) == allowed(role, "numbers")
    assert all("numbers" not in line for line in cast.peers[actor].ask("status"))


def test_no_command_and_no_line_of_the_table_is_left_out() -> None:
    assert set(COMMANDS) == set(m.AnyCommand.__args__)
    for command, (model, rows) in COMMANDS.items():
        for actor, row in itertools.product(ROLES, list(rows())):
            model(Asked(actor, command, *row))
    assert asked_of_the_table | {"numbers"} == set(TABLE)  # which is told, or left out


def test_the_code_of_an_invitation_is_no_right_of_its_maker() -> None:
    """Who may take an invitation back: who made it, else only owners."""
    team = Team()
    ann, mod = team.member("ann"), team.member("mod", "moderator")
    made = [links.invitation_hash(team.invitation(ann)) for _ in range(3)]
    assert do(mod, "revoke", hash=made[0])["code"] == "forbidden"
    assert do(ann, "revoke", hash=made[0])["type"] == "ack"
    assert do(team.olga, "revoke", hash=made[1])["type"] == "ack"
    assert OWN in team.credentials.values()
