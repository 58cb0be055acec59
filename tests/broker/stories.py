"""Random stories about members, told to a whole broker in memory; and the book, a model of who may do what.

A story is bytes, four for each line that somebody sends: who, what, and two for whom, where or how. Lines gather to a
batch until one says that it is the last of it. Between batches the broker is killed, or its disk is full, or its log
answers late.

The `Book` knows who is who, and who is where, from the events of the log alone. It is asked twice: of each line that a
peer is sent, whether the peer may know of the private rooms in it at that moment; and of each event in the log, in its
order, whether its author might do that then.
"""

import json
from collections import deque
from functools import cache
from itertools import count
from typing import Any

from tests.broker.dialogue import NOON, Broker, Json, Peer
from tests.broker.team import OTHER, OWN, TERMS, Team, do, key, who_is
from tests.broker.test_pipeline import LateLog
from zchat.broker.core.sessions import Room
from zchat.broker.log.local import LocalLog
from zchat.broker.sharing import SharedPipeline
from zchat.broker.store import Store
from zchat.protocol import links, wire
from zchat.protocol import messages as m
from zchat.protocol.policy import GUEST, MEMBER, OWNER, may

PUBLIC, NEWS, INSIDE, OTHERS = "general", "news", "+ops", "+den"
ROOMS = (PUBLIC, NEWS, INSIDE, INSIDE, OTHERS)
LIMITS = (None, "2026-11-22T05:30:00Z", "2027-01-01T00:00:00Z", None)  # for ever, over already, for long
ROLES = ("member", "moderator", "owner")
TRANSIENT = {"unavailable", "out_of_order", "no_session", "bad_command", "rate_limited", "internal"}


class Loud:
    """Notes of a broker that makes no mistake: what it would log as one fails the story."""

    def write(self, level: int, text: str, *values: object, trace: bool = False) -> None:
        if trace:
            raise AssertionError(text % values)

    def report(self) -> None: ...


class Book:
    """Who is who and who is where, told by events in the order of the log."""

    def __init__(self) -> None:
        self.role: dict[str, str] = {}
        self.holder: dict[str, str] = {}  # credential: whose
        self.banned: dict[str, str] = {}  # `from` or credential: until
        self.muted: dict[tuple[str, str], str] = {}
        self.mode: dict[str, str] = {}
        self.inside: dict[str, set[str]] = {}
        self.operators: dict[str, set[str]] = {}
        self.invited: dict[str, m.MemberChanged] = {}
        self.uses: dict[str, int] = {}

    def is_banned(self, who: str, time: str) -> bool:
        return time < self.banned.get(who, "")

    def sees(self, from_: str, room: str) -> bool:
        return not room.startswith("+") or from_ in self.inside.get(room, ())

    def shows(self, credential: str, room: str, time: str) -> bool:
        """Whether whoever proves this may know of a room."""
        from_ = self.holder.get(credential, "")
        return self.sees(from_, room) and not self.is_banned(from_, time) and not self.is_banned(credential, time)

    def of(self, from_: str) -> str:
        return OWNER if from_ == "" else self.role.get(from_, GUEST)

    def check_speech(self, event: m.Message | m.Topic) -> None:
        from_, time = event.from_, event.time
        assert not self.is_banned(from_, time), f"a banned one speaks: {event}"
        assert self.sees(from_, event.room or ""), f"one who was not let in speaks: {event}"
        for where in ("", event.room) if event.room is not None else ("",):
            assert not time < self.muted.get((from_, where), ""), f"a muted one speaks: {event}"
        if self.mode.get(event.room or "") == "announce" and from_ not in self.operators.get(event.room or "", ()):
            assert may(self.of(from_), "speak_in_announce"), f"a reader speaks: {event}"

    def check(self, event: m.Administrative) -> None:
        """Whether its author might do this."""
        by, role, target = event.by, self.of(event.by), self.of(event.from_ or "x")
        came_in = event.change in {"joined", "device"}
        assert came_in or not by or self.role.get(by), f"a guest changes something: {event}"
        assert not self.is_banned(by, event.time), f"a banned one changes something: {event}"
        if isinstance(event, m.AccessChanged):
            self._check_access(event, role)
        elif came_in and event.hash is not None:
            made = self.invited[event.hash]
            assert self.uses[event.hash] > 0, f"an invitation is used once too often: {event}"
            assert event.time < (made.expires or "")
            assert event.change == ("joined" if made.from_ is None else "device")
            assert event.change == "device" or (event.role == made.role and may(role, "invite", made.role or ""))
        elif event.change in {"banned", "unbanned"}:
            subject = event.from_ or self.holder.get(event.credential or "", "x")
            assert may(role, "ban", self.of(subject)), event
            assert event.change == "unbanned" or subject != by, event
        elif event.change in {"muted", "unmuted"}:
            assert may(role, "mute", target), event
            assert self.sees(by, event.room or ""), event
        elif event.change == "role":
            assert may(role, "role", target), event
        elif event.change == "removed":
            assert by == event.from_ or may(role, "revoke_keys"), event
        elif event.change == "revoked":
            assert self.invited[event.hash or ""].by == by or may(role, "revoke_keys"), event
        elif event.change == "nick":
            assert by == event.from_
        elif event.change == "invited":
            assert may(role, "invite", event.role or MEMBER)
            assert all(by in self.operators[room] for room in event.rooms if room.startswith("+"))

    def _check_access(self, event: m.AccessChanged, role: str) -> None:
        room, private = event.room, event.room.startswith("+")
        if not private:
            assert may(role, "announce"), event
        elif event.change == "mode":
            assert room not in self.inside, event
        elif event.change == "expelled" and event.by == event.from_:
            assert event.by in self.inside[room]
        else:
            assert event.by in self.operators[room], event
            assert event.by in self.inside[room], event

    def write(self, event: m.Administrative) -> None:
        if isinstance(event, m.AccessChanged):
            self._write_access(event)
        elif event.change in {"joined", "device", "role", "removed"}:
            self._write_member(event)
        else:
            self._write_rule(event)
        self._check_owner(event)

    def _write_access(self, event: m.AccessChanged) -> None:
        room, from_ = event.room, event.from_ or ""
        if event.change == "mode":
            self.mode[room] = event.mode or ""
            first = {event.by} if room.startswith("+") else set[str]()
            self.inside.setdefault(room, set(first))
            self.operators.setdefault(room, set(first))
        elif event.change == "operator":
            self.operators.setdefault(room, set()).add(from_)
        elif event.change == "admitted":
            self.inside[room].add(from_)
        else:
            self.inside[room].discard(from_)
            self.operators[room].discard(from_)

    def _write_member(self, event: m.MemberChanged) -> None:
        from_, credential = event.from_ or "", event.credential or ""
        if event.change == "removed":
            self.holder.pop(credential, None)
            return
        self.role[from_] = event.role or ""
        if event.change == "role":
            return
        self.holder[credential] = from_
        if event.hash is not None:
            self.uses[event.hash] -= 1
            for room in self.invited[event.hash].rooms if event.change == "joined" else ():
                if room.startswith("+") and event.by in self.operators[room]:
                    self.inside[room].add(from_)

    def _write_rule(self, event: m.MemberChanged) -> None:
        who, place, hash_ = (
            event.from_ or event.credential or "",
            (event.from_ or "", event.room or ""),
            event.hash or "",
        )
        match event.change:
            case "invited":
                self.invited[hash_], self.uses[hash_] = event, event.uses or 1
            case "revoked":
                self.uses[hash_] = 0
            case "banned":
                self.banned[who] = event.until or "9"
            case "unbanned":
                self.banned.pop(who, None)
            case "muted":
                self.muted[place] = event.until or "9"
            case "unmuted":
                self.muted.pop(place, None)

    def _check_owner(self, event: m.Administrative) -> None:
        remains = [one for one, role in self.role.items() if role == OWNER and one in self.holder.values()]
        assert [one for one in remains if not self.is_banned(one, event.time)], f"no owner is left: {event}"


@cache
def _beginning() -> tuple[Store, dict[str, str]]:
    """Return a log in which there are members and two private rooms, and the `from`s of the members."""
    team = Team()
    people = {"olga": who_is(team.olga)}
    for name, role in (("boss", "owner"), ("mia", "moderator"), ("ann", "member"), ("bob", "member")):
        member = team.member(name, role)
        people[name] = who_is(member)
        code = links.encode_code(name.encode().ljust(16, b"."))
        assert do(member, "invite", hash=links.invitation_hash(code), self=True)["type"] == "ack"
        if name != "boss":
            team.come(key(name + "2"), device="phone", invite=code)
        if name in {"ann", "mia"}:
            assert do(member, "access", room={"ann": INSIDE, "mia": OTHERS}[name], mode="private")["type"] == "ack"
        if name == "ann":
            ann = member
    assert do(ann, "access", room=INSIDE, admit=people["bob"])["type"] == "ack"
    assert do(team.olga, "access", room=NEWS, mode="announce")["type"] == "ack"
    return team.store, people


class Person:
    """A program of somebody: what its connection proves, how it says hello, and what it has sent."""

    def __init__(self, number: int, credential: str, **hello: Any) -> None:
        self.number, self.credential, self.hello = number, credential, hello
        self.client = f"c{number:031x}"  # no other has it by chance
        self.n = 0  # sent and not refused for the time being
        self.sent: list[bytes] = []
        self.token = ""
        self.peer: Peer


class World(Broker):
    """A broker, those who speak with it, and all that must be true meanwhile."""

    def __init__(self, late: bool) -> None:
        store, self.people = _beginning()
        own = Store(None, "0" * 32, NOON)
        store.connection.backup(own.connection)
        own._begin("")
        self.late = late
        self.began = store.head()
        self.book = Book()
        self.rosters: dict[str, dict[str, str]] = {}
        self.revs: dict[str, int] = {}
        self.unsure: set[str] = set()  # private rooms whose roster was not told to anybody for a while
        self.acked: dict[tuple[str, int], int] = {}
        self.persons = [
            Person(0, OWN, device="host"),
            Person(1, key("boss"), device="laptop"),
            Person(2, key("mia"), device="laptop"),
            Person(3, key("mia2"), device="phone"),
            Person(4, key("ann"), device="laptop"),
            Person(5, key("ann2"), device="phone"),
            Person(6, key("bob"), device="laptop"),
            Person(7, key("bob2")),
            Person(8, "", nick="gus"),
            Person(9, OTHER, nick="uwe"),
            Person(10, key("eve"), nick="eve"),
        ]
        super().__init__(store=own, terms=TERMS)
        self._fresh = count(1_000_000)  # what the log has from before is nobody's any more
        for person in self.persons:
            self.connect(person)
        self.batch: list[tuple[bytes, bytes]] = []
        for at, person in enumerate(self.persons):
            rooms = (PUBLIC, INSIDE) if at in {4, 5, 6} else (PUBLIC,)
            self.batch.append((person.peer.id, hello(self, person, 0, 0)))
            self.batch += [(person.peer.id, _line("join", room=room)) for room in rooms]
        self.flush()

    # -- what happens

    def open(self) -> None:
        super().open()
        if self.late:
            log = LateLog(self.store)
            log.waiting = deque()
            self.log, self.pipeline = log, SharedPipeline(self.hub, log)
            self.pipeline.on_commit = self.carry
        self.pipeline.notes = Loud()  # type: ignore[assignment]
        self.book = Book()
        for event in self.store.chain():
            self.book.write(event)
        self.rosters.clear()
        self.revs.clear()
        self.unsure.clear()
        real, apply, real_answered = self.pipeline._to, self.hub.members.apply, self.pipeline.answered
        held: list[bool] = []  # while an answer is given: what follows was held back behind it, and looked at then

        def to(peer: bytes, lines: list[bytes]) -> None:
            for line in lines if held != [True] else ():
                self.look(peer, line)
            held[:] = [True] if held else []
            real(peer, lines)

        def answered(query: Any, line: bytes) -> None:
            held[:] = [False]
            real_answered(query, line)
            held.clear()

        def applied(event: m.Administrative) -> None:
            apply(event)
            self.book.write(event)

        self.pipeline._to = to  # type: ignore[method-assign]
        self.pipeline.answered = answered  # type: ignore[method-assign]
        self.hub.members.apply = applied  # type: ignore[method-assign]

    def read(self, query: Any) -> bytes:
        """Answer a question; what is kept for that alone has room on any disk."""
        (full,) = self.store.connection.execute("PRAGMA query_only").fetchone()
        self.store.connection.execute("PRAGMA query_only = 0")
        answer = super().read(query)
        self.store.connection.execute(f"PRAGMA query_only = {full}")
        return answer

    def connect(self, person: Person) -> None:
        person.peer = self.peer()
        self.credentials[person.peer.id] = person.credential

    def tell(self, story: bytes) -> None:
        for at in range(0, len(story) - 3, 4):
            who, what, one, two = story[at : at + 4]
            person = self.persons[who % len(self.persons)]
            self.batch.append((person.peer.id, LINES[what % len(LINES)](self, person, one, two)))
            person.sent.append(self.batch[-1][1])
            if who >= 160:
                self.flush()
                self.happen(two)
        self.end()

    def flush(self) -> None:
        batch, self.batch = self.batch, []
        if batch:
            self.take(*batch)
        self.settle(1 if self.late else 0)

    def settle(self, kept: int) -> None:
        """Let the log answer for all but the last batches; then everything has to agree."""
        log = self.log
        while isinstance(log, LateLog) and len(log.waiting) > kept:
            log.answer_one()
        self.said.clear()
        for person in self.persons:
            if person.peer.id in self.cut or person.credential in self.cut:
                self.pipeline.remove(person.peer.id, "timeout")
                self.connect(person)
        self.carry()
        self.cut.clear()
        if not (isinstance(log, LateLog) and log.waiting):
            self.compare()

    def happen(self, chance: int) -> None:
        match chance % 16:
            case 0:
                self.open()
                for person in self.persons:
                    self.connect(person)
            case 1 if not self.late:  # no log that answers late writes a batch after one that it could not write
                self.store.connection.execute("PRAGMA query_only = 1")
            case 2 | 3 | 4 | 5:
                self.store.connection.execute("PRAGMA query_only = 0")
            case 6:
                self.settle(0)
            case 7:
                self.now += 1.0
                self.hub.second(self.now)

    def end(self) -> None:
        self.flush()
        self.settle(0)
        self.store.connection.execute("PRAGMA query_only = 0")
        self.audit()

    # -- what must be true

    @property
    def time(self) -> str:
        return wire.timestamp(NOON + self.now)

    def look(self, peer: bytes, line: bytes) -> None:
        """Look at what a peer is sent, at that moment."""
        told: Json = json.loads(line)
        credential = self.credentials[peer]
        mine = told["type"] == "parted" or (told["type"] in {"access", "member"} and self._is_own(credential, told))
        for room in () if mine else _private_rooms(told):
            shown = self.book.shows(credential, room, self.time)
            assert shown, f"{credential} is told of {room}: {line!r}"
        if told["type"] == "told":
            for event in told["events"]:
                self.hear(event)
        person = next((one for one in self.persons if one.peer.id == peer), None)
        if person is not None:
            self.answered(person, told)

    def _is_own(self, credential: str, told: Json) -> bool:
        """Whether an event is about whoever it is sent to: also one is told that one was expelled."""
        own = self.book.holder.get(credential)
        return own is not None and (own == told.get("from") or own == told.get("by"))

    def answered(self, person: Person, told: Json) -> None:
        n: Any = told.get("n")
        if told["type"] == "welcome":
            person.n, person.token, person.client = told["n"], told["session"], told["client"]
        elif told["type"] == "ack" and "seq" in told:
            seq = self.acked.setdefault((person.client, told["n"]), told["seq"])
            assert seq == told["seq"], "a number has two events"
            assert seq <= self.log.head
        elif told.get("code") in TRANSIENT and n is not None:
            person.n = min(person.n, told.get("expected", n) - 1)

    def hear(self, event: Json) -> None:
        """Rebuild the rosters from the events, as a client does."""
        if event["type"] not in {"joined", "left", "renamed", "away"}:
            return
        room, rev = event["room"], event["rev"]
        known = self.rosters.setdefault(room, {})
        if rev == self.revs.get(room, 0):
            return  # the same, told to another one who is in a private room
        if rev != self.revs.get(room, 0) + 1:
            assert room.startswith("+"), f"a change of {room} was told to nobody"
            self.unsure.add(room)
        self.revs[room] = rev
        if room in self.unsure:
            return
        nick = event["nick"]
        if event["type"] == "joined":
            assert nick not in known, f"{nick} came twice"
            known[nick] = event["from"]
        elif event["type"] == "left":
            assert known.pop(nick), f"{nick} left, and was not here"
        elif event["type"] == "renamed":
            assert event["new"] not in known
            known[event["new"]] = known.pop(nick)

    def carry(self) -> None:
        super().carry()
        for topic, event in self.published:
            assert not any(True for _ in _private_rooms(event)), "a private room is on the feed"
            assert topic.startswith(("room/", "session/"))
            self.hear(event)
        self.published.clear()
        self.lines.clear()

    def compare(self) -> None:
        """What the hub and the log know is the same, when nothing is on its way."""
        assert _state(self.hub.members) == _state(self.log.members)
        assert not self.hub.roster.nicks.claimed
        for name, room in self.hub.roster.rooms.items():
            here = {one.nick: one.from_ for one in room.members.values()}
            untold = name.startswith("+") and (not room.sessions or self.revs.get(name, 0) != room.rev)
            if name in self.unsure or untold:  # nobody was there to be told: `joined` tells whoever comes then
                self.unsure.discard(name)
                self.rosters[name], self.revs[name] = dict(here), room.rev  # type: ignore[arg-type]
            assert self.rosters.get(name, {}) == here, name
            self._check_room(room)
        for author in self.hub.roster.present():
            assert author.sessions
            known = self.hub.members.get(author.from_)
            assert (known is None) == (author.role == GUEST)
            assert known is None or (author.nick, author.role) == (known.nick, known.role)

    def _check_room(self, room: Room) -> None:
        for session in room.sessions or ():
            assert self.hub.roster.shows(session, room.name), "one who was not let in is in a private room"

    def audit(self) -> None:
        """The log alone tells the same, and nothing in it was done by somebody who might not."""
        assert _state(LocalLog(self.store).members) == _state(self.hub.members)
        book, numbers, authors = Book(), set(), {}
        for event, number in _events(self.store):
            assert number[1] == 0 or number not in numbers, f"a number is taken twice: {event}"
            numbers.add(number)
            authors[event.seq] = event.by if isinstance(event, m.Administrative) else event.from_
            if isinstance(event, m.Administrative):
                if event.seq > self.began:
                    book.check(event)
                book.write(event)
            else:
                book.check_speech(event)
        assert vars(book) == vars(self.book), "what was applied is what is in the log"
        assert set(self.acked.values()) <= set(authors), "what was acknowledged is in the log"
        assert len(set(self.acked.values())) == len(self.acked), "two numbers have the same event"


def _state(members: Any) -> Json:
    return {name: value for name, value in vars(members).items() if name != "apply"}


def _events(store: Store) -> list[tuple[Any, tuple[str, int]]]:
    """Return all events of a log in its order, each with its producer and number."""
    found = []
    for lines, ns, producers in store.connection.execute("SELECT lines, ns, producers FROM chunk"):
        numbers = json.loads(ns)
        by = json.loads(producers) if producers else [""] * len(numbers)
        for line, n, producer in zip(lines.split(b"\n"), numbers, by, strict=True):
            event = wire.event(line)
            found.append((event, (producer or getattr(event, "from_", "") or "", n)))
    return sorted(found, key=lambda one: int(one[0].seq))


def _private_rooms(told: Json) -> Any:
    """Return the private rooms that a line tells of, wherever; errors repeat what was asked."""
    if told["type"] == "error":
        return
    named = [told.get("room"), *told.get("heads", ()), *told.get("revs", ())]
    named += [one if isinstance(one, str) else one["room"] for one in told.get("rooms", ())]
    named += [room for one in told.get("members", ()) for room in one.get("rooms", ())]
    named += [room for event in told.get("events", ()) for room in (event.get("room"), *event.get("rooms", ()))]
    yield from (room for room in named if room and room.startswith("+") and room != "+")


# -- the lines


def _line(type_: str, **fields: Any) -> bytes:
    return json.dumps({"type": type_, **{name: value for name, value in fields.items() if value is not None}}).encode()


def hello(world: World, person: Person, one: int, two: int, **fields: Any) -> bytes:
    return _line("hello", **({"protocol": 1, "client": person.client} | person.hello | fields))


def _numbered(type_: str, person: Person, **fields: Any) -> bytes:
    person.n += 1
    return _line(type_, n=person.n, **fields)


def _from(world: World, number: int) -> str:
    """Return the `from` of somebody: a member's, or whoever has a session."""
    here = [author.from_ for author in world.hub.roster.present()]
    all_ = [*world.people.values(), *here, "f" * 16]
    return all_[number % len(all_)]


def _room(number: int) -> str:
    return ROOMS[number % len(ROOMS)]


def _code(number: int) -> str:
    return links.encode_code(b"%016d" % (number % 6))


def _credential(world: World, number: int) -> str:
    return world.persons[number % len(world.persons)].credential or key("nobody")


def _repeat(world: World, person: Person, one: int, two: int) -> bytes:
    return person.sent[-1 - one % len(person.sent)] if person.sent else _line("ping")


def _thief(world: World, person: Person, one: int, two: int) -> bytes:
    other = world.persons[one % len(world.persons)]
    stolen: Json = {"client": other.client} if two % 2 else {"client": None, "resume": other.token}
    return hello(world, person, one, two, **stolen)


def _invite(world: World, person: Person, one: int, two: int) -> bytes:
    wanted: list[Json] = [{}, {"self": True}, {"rooms": [_room(two)]}, {"role": ROLES[two % 3], "uses": 2}]
    return _numbered("invite", person, hash=links.invitation_hash(_code(one)), **wanted[two // 3 % 4])


def _ban(type_: str) -> Any:
    def line(world: World, person: Person, one: int, two: int) -> bytes:
        subject: Json = {"from": _from(world, one)} if two % 4 else {"credential": _credential(world, one)}
        return _numbered(type_, person, **subject, until=LIMITS[two % 4] if type_ == "ban" else None)

    return line


def _loses(world: World, person: Person, one: int, two: int) -> bytes:
    """Let somebody lose something, and ask or speak in the same batch."""
    from_ = world.book.holder.get(person.credential, "f" * 16)
    owner, moderator, operator = (world.persons[number] for number in (0, 2, 4))
    taker, type_, fields = (
        (operator, "access", {"room": INSIDE, "expel": from_}),
        (moderator, "ban", {"from": from_}),
        (moderator, "mute", {"from": from_, "room": INSIDE if two % 2 else None}),
        (owner, "credential", {"from": from_, "remove": person.credential or key("nobody")}),
        (owner, "role", {"from": from_, "role": "member"}),
    )[one % 5]
    world.batch.append((taker.peer.id, _numbered(type_, taker, **fields)))
    return ASKED[two % len(ASKED)](world, person, 2, two)  # type: ignore[no-any-return]


ASKED: list[Any] = [
    lambda w, p, a, b: _line("join", room=INSIDE, quiet=b % 3 == 0, after=0 if b % 5 == 0 else None),
    lambda w, p, a, b: _line("who", room=INSIDE if b % 2 else None),
    lambda w, p, a, b: _line("rooms"),
    lambda w, p, a, b: _line("ping"),
    lambda w, p, a, b: _line("history", room=INSIDE),
    lambda w, p, a, b: _line("search", text="secret"),
    lambda w, p, a, b: _line("audit"),
    lambda w, p, a, b: _numbered("say", p, room=INSIDE if b % 2 else PUBLIC, text="secret"),
    lambda w, p, a, b: _numbered("access", p, room=INSIDE, admit=_from(w, b)),
    lambda w, p, a, b: _ban("ban")(w, p, b, b),
    hello,
]
LINES: list[Any] = [
    *[_loses] * 6,
    hello,
    hello,
    lambda w, p, a, b: hello(w, p, a, b, device=None, nick=None),
    lambda w, p, a, b: hello(w, p, a, b, nick=("ann", "bob", "gus", "zoe", "new")[a % 5]),
    lambda w, p, a, b: hello(w, p, a, b, invite=_code(a), device="new", client=None if b % 2 else p.client),
    lambda w, p, a, b: hello(w, p, a, b, invite=_code(a), nick=("eve", "zoe", "ann", "new")[b % 4]),
    _thief,
    _repeat,
    _repeat,
    *[lambda w, p, a, b: _line("join", room=_room(a), quiet=b % 3 == 0, after=0 if b % 5 == 0 else None)] * 3,
    lambda w, p, a, b: _line("part", room=_room(a)),
    lambda w, p, a, b: _line("nick", nick=("ann", "anna", "zoe", "gus", "new")[a % 5]),
    lambda w, p, a, b: _line("away", text="tea" if a % 2 else None),
    lambda w, p, a, b: _line("typing", room=_room(a)),
    lambda w, p, a, b: _line("who", room=_room(a) if b % 2 else None),
    lambda w, p, a, b: _line("rooms"),
    lambda w, p, a, b: _line("ping"),
    lambda w, p, a, b: _line("bye"),
    lambda w, p, a, b: _line("history", room=_room(a)),
    lambda w, p, a, b: _line("search", text="secret"),
    lambda w, p, a, b: _line("audit"),
    lambda w, p, a, b: _line("members"),
    *[lambda w, p, a, b: _numbered("say", p, room=_room(a), text=f"secret {b}")] * 4,
    lambda w, p, a, b: _numbered("say", p, to=("ann", "bob", "gus", "mia")[a % 4], text="psst"),
    lambda w, p, a, b: _numbered("topic", p, room=_room(a), text=f"secret {b}"),
    lambda w, p, a, b: _numbered(
        "access", p, room=(*ROOMS, "+new")[a % 6], mode=("private", "announce", "public")[b % 3]
    ),
    *[lambda w, p, a, b: _numbered("access", p, room=_room(a), admit=_from(w, b))] * 2,
    *[lambda w, p, a, b: _numbered("access", p, room=_room(a), expel=_from(w, b))] * 3,
    lambda w, p, a, b: _numbered("access", p, room=_room(a), operator=_from(w, b)),
    _invite,
    _invite,
    lambda w, p, a, b: _numbered("revoke", p, hash=links.invitation_hash(_code(a))),
    *[lambda w, p, a, b: _numbered("role", p, **{"from": _from(w, a), "role": ROLES[b % 3]})] * 2,
    lambda w, p, a, b: _numbered("credential", p, **{"from": _from(w, a), "remove": _credential(w, b)}),
    _ban("ban"),
    _ban("ban"),
    _ban("unban"),
    _ban("unban"),
    lambda w, p, a, b: _numbered("mute", p, **{"from": _from(w, a)}, room=(None, *ROOMS)[b % 6], until=LIMITS[b % 4]),
    lambda w, p, a, b: _numbered("unmute", p, **{"from": _from(w, a)}, room=(None, *ROOMS)[b % 6]),
    lambda w, p, a, b: _line("kick", **{"from": _from(w, a)}, room=(None, *ROOMS)[b % 6]),
]
