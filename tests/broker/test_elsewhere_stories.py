"""Presence at several brokers, over a bus that loses, doubles and delays what they tell, in stories from a seed."""

import random
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from msgspec import UNSET

from tests.broker.dialogue import Json
from tests.broker.several import GRACE, STEP, Broker, Client, Several
from zchat.broker.core import elsewhere

ROOMS = ("general", "ops", "dev")
NICKS = ("same", "Same", "other", "another", "else")
SLOW = 2.0  # s that a client takes to come to another broker when its own has died


class Replay:
    """The rosters of one broker, as somebody knows them who reads its feed."""

    def __init__(self) -> None:
        self.rooms: dict[str, dict[str, Json]] = {}  # by room and nick
        self.revs: dict[str, int] = {}

    def take(self, room: str, event: Json) -> None:
        roster, rev, nick = self.rooms.setdefault(room, {}), event.get("rev"), event["nick"]
        if rev is None:
            return
        if rev == 1 and not roster:
            self.revs[room] = 0  # an empty room was forgotten, and its `rev` with it
        assert rev == self.revs.get(room, 0) + 1, "each `rev` follows the one before it"
        self.revs[room] = rev
        match event["type"]:
            case "joined":
                assert nick not in roster, "a nick is in a roster once"
                roster[nick] = {"from": event["from"], "away": None}
            case "left":
                del roster[nick]
            case "renamed":
                assert event["new"] not in roster, "a nick is in a roster once"
                roster[event["new"]] = roster.pop(nick)
            case "away":
                roster[nick]["away"] = event.get("text")


class Story:
    """People who come, go, move and are renamed, at brokers that die and begin again."""

    def __init__(self, seed: int, lost: float = 0.0, late: float = 0.0) -> None:
        self.several = Several(seed=seed, lost=lost, late=late)
        self.rng = random.Random(seed)
        self.replays = {name: Replay() for name in self.several.brokers}
        self.people = [Client(self.several, f"nick{number}", "", {}) for number in range(4)]
        self.people += [Client(self.several, None, f"uid:100{number}@host", {"device": "it"}) for number in (0, 0, 1)]
        self.due: list[tuple[float, Callable[[], None]]] = []
        for person in self.people[4:]:  # until these are members, nothing is done for them
            come(person, "a", set())
            self.several.calm()

    @property
    def up(self) -> list[str]:
        return [name for name, broker in self.several.brokers.items() if broker.up]

    def step(self) -> None:
        self.several.step()
        now = self.several.now
        for act in [act for when, act in self.due if when <= now]:
            act()
        self.due = [each for each in self.due if each[0] > now]
        for name, broker in self.several.brokers.items():
            for room, events in broker.feed.items():
                for event in events:
                    self.replays[name].take(room, event)
            broker.feed.clear()
            broker.said.clear()

    def act(self) -> None:
        """Let somebody do something."""
        person, rng, room = self.rng.choice(self.people), self.rng, self.rng.choice(ROOMS)
        dice = rng.random()
        if dice < 0.25 or not person.broker:
            come(person, rng.choice(self.up), {each for each in ROOMS if rng.random() < 0.5})
        elif dice < 0.5:
            person.send("join", room=room, quiet=rng.random() < 0.2)
        elif dice < 0.6:
            person.send("part", room=room, reason="tea")
        elif dice < 0.7:
            person.send("nick", nick=rng.choice(NICKS))
        elif dice < 0.85:
            person.send("away", **({"text": rng.choice(["tea", "lunch"])} if rng.random() < 0.6 else {}))
        elif dice < 0.9:
            person.send("kick", nick=rng.choice(NICKS), reason="out")
        elif dice < 0.95:
            person.send("bye", reason="home")
        else:
            broker = self.several.brokers[person.broker]
            broker.pipeline.remove(person.id, "timeout")

    def trouble(self) -> None:
        """Let a broker die, or begin again."""
        rng, several = self.rng, self.several
        name = rng.choice(list(several.brokers))
        broker, dice = several.brokers[name], rng.random()
        if dice < 0.03 and broker.up and len(self.up) > 1:
            self.die(name)
        elif dice < 0.06 and broker.up:
            several.gone(name)  # a verdict, of those who did not hear it for long enough
        elif dice < 0.2 and not broker.up:
            self.begin_again(name)

    def die(self, name: str) -> None:
        several = self.several
        several.brokers[name].up = False
        starts = several.brokers[name].hub

        def verdict() -> None:
            if several.brokers[name].hub is starts:
                several.gone(name)

        self.due.append((several.now + self.rng.choice([1.0, 4.0]), verdict))

    def begin_again(self, name: str) -> None:
        self.several.brokers[name].open()
        self.replays[name] = Replay()

    def heal(self) -> None:
        self.several.lost = self.several.late = 0.0
        for name, broker in self.several.brokers.items():
            if not broker.up and self.rng.random() < 0.5:
                self.begin_again(name)
        for _ in range(int((GRACE * 2 + 10) / STEP)):
            self.step()

    def audit(self) -> None:
        """All brokers have the same rosters, those that are true, and so have their readers."""
        several = self.several
        here = [several.brokers[name] for name in self.up]
        true = {room: truth(here, room) for room in ROOMS}
        for broker in here:
            roster, replay = broker.hub.roster, self.replays[broker.name]
            for room in ROOMS:
                known = roster.rooms.get(room)
                listed = [] if known is None else [each.described(several.now) for each in known.members.values()]
                found = {one.from_: (one.nick, one.away, one.bot, one.role) for one in listed}
                assert found == true[room], f"{room} at {broker.name}"
                told = {one["from"]: nick for nick, one in replay.rooms.get(room, {}).items()}
                assert told == {from_: one[0] for from_, one in found.items()}, "the feed tells the roster"
                if known is not None and replay.rooms.get(room):
                    assert known.rev == replay.revs[room]
            tidy(broker, here)
        listed_all = [{(one.from_, one.nick) for one in broker.hub.roster.nicks.authors()} for broker in here]
        assert all(each == listed_all[0] for each in listed_all), "all list the same people"


def come(person: Client, broker: str, rooms: set[str]) -> None:
    """Say hello at a broker, and join rooms, without waiting for the answers."""
    person.broker, person.id = broker, b"peer%d" % next(person.world.fresh)
    person.world.credentials[person.id] = person.credential
    who = person.fields if person.nick is None else person.fields | {"nick": person.nick}
    person.send("hello", protocol=1, client=person.secret, **who)
    for room in sorted(rooms):
        person.send("join", room=room)


def truth(brokers: list[Broker], room: str) -> dict[str, tuple[Any, ...]]:
    """Return who is in a room: nick, away, whether it is a bot, and role, by `from`."""
    found: dict[str, tuple[Any, ...]] = {}
    for broker in brokers:
        for session in broker.hub.roster.all():
            if session.rooms.get(room) is False:
                author = session.author
                one = author.nick, author.away, False, author.role if author.is_member else UNSET
                assert found.setdefault(author.from_, one) == one, "all say the same of an author"
    return found


def tidy(broker: Broker, here: list[Broker]) -> None:
    """Nothing is kept of who is nowhere."""
    roster = broker.hub.roster
    names = {each.name for each in here} - {broker.name}
    for author in roster.present():
        assert author.sessions or author.far is not None
        if author.far is not None:
            assert set(author.far.records) <= names
            assert author.far.records
            assert not author.far.lingering
    assert roster.marks is not None
    assert not roster.marks.lingering


@pytest.mark.parametrize("seed", range(30))
def test_all_brokers_come_to_the_same_rosters_and_their_feeds_tell_them(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elsewhere, "PART", 200)  # bytes: snapshots come in parts
    story = Story(seed, lost=0.2, late=0.3)
    for _ in range(200):
        story.act()
        story.trouble()
        story.step()
    story.heal()
    story.audit()


class Moves(Story):
    """People who do nothing but move, also from brokers that die. They join their rooms again at once."""

    def __init__(self, seed: int, lost: float = 0.0, late: float = 0.0) -> None:
        super().__init__(seed, lost, late)
        self.rooms = {one.secret: {room for room in ROOMS if self.rng.random() < 0.7} for one in self.people}
        for person in self.people:
            come(person, self.rng.choice(self.up), self.rooms[person.secret])
        self.rest()

    def rest(self) -> None:
        for _ in range(int(GRACE * 1.6 / STEP)):
            self.step()

    def move_some(self) -> None:
        """Let some people come to other brokers within the time that they need: all of one that dies."""
        several, rng = self.several, self.rng
        name = rng.choice(self.up)
        if rng.random() < 0.3 and len(self.up) > 1:
            self.die(name)
        for person in [one for one in self.people if one.broker == name or rng.random() < 0.2]:
            move = partial(self.move, person)
            self.due.append((several.now + rng.uniform(0.0, SLOW), move))

    def move(self, person: Client) -> None:
        come(person, self.rng.choice(self.up), self.rooms[person.secret])


@pytest.mark.parametrize("seed", range(30))
def test_nobody_is_told_of_moves_within_grace_also_from_brokers_that_die(seed: int) -> None:
    story = Moves(seed, late=0.3)
    for _ in range(20):
        revs = {name: dict(story.replays[name].revs) for name in story.up}
        story.move_some()
        story.rest()
        for name in story.up:
            assert story.replays[name].revs == revs[name], f"{name} told of a move"
        for name in set(story.several.brokers) - set(story.up):
            story.begin_again(name)
        story.rest()
    story.audit()
