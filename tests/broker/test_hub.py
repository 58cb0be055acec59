"""The broker's decisions, as dialogues in memory. (What each field looks like on the wire is tested over sockets.)"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.broker.dialogue import Broker, codes
from zchat.broker.core.entries import Draft
from zchat.broker.core.hub import HANDLERS
from zchat.broker.core.looks import looks
from zchat.broker.core.rows import Batch
from zchat.errors import DiskFullError
from zchat.protocol import messages as m
from zchat.protocol import names


def test_what_one_says_the_other_hears_as_it_stands_in_the_log() -> None:
    broker = Broker()
    alice = broker.hello("alice")
    assert alice.say("hi") == [{"type": "ack", "n": 1, "seq": 1}]
    (event,) = broker.heard("general")
    assert (event["seq"], event["prev"], event["nick"], event["text"]) == (1, 0, "alice", "hi")
    assert event["from"] == alice.welcome["from"]
    (history,) = alice.ask("history", room="general", after=0)
    assert history["events"] == [event]


def test_replies_leave_in_line_order_and_tell_only_the_lines_before_them() -> None:
    broker = Broker()
    alice = broker.hello("alice")
    alice.ask("join", room="general")
    replies = alice.send(
        alice.line("ping", ref="before"),
        alice.line("say", n=1, room="general", text="a"),
        alice.line("ping", ref="between"),
        alice.line("history", room="general", after=0),
        alice.line("say", n=2, room="general", text="b"),
        alice.line("ping", ref="after"),
    )
    assert [line["type"] for line in replies] == ["pong", "ack", "pong", "history", "ack", "pong"]
    assert [line["n"] for line in replies if line["type"] == "pong"] == [0, 1, 2]
    assert [line["heads"] for line in replies if line["type"] == "pong"] == [
        {"general": 0},
        {"general": 1},
        {"general": 2},
    ]


def test_what_waits_behind_a_query_leaves_after_its_answer() -> None:
    broker = Broker()
    alice = broker.hello("alice")
    broker.pipeline.begin(
        [(alice.id, b"\n".join([alice.line("history", room="x", ref=1), alice.line("history", room="y", ref=2)]))],
        0.0,
        0.0,
    )
    broker.pipeline.begin([(alice.id, alice.line("away"))], 0.0, 0.0)
    assert [query.ref for query in broker.pipeline.queries] == [1], "one query at a time"
    assert broker.pipeline.outgoing == {}
    broker.carry()
    assert [(line["type"], line.get("ref")) for line in alice.read()] == [("history", 1), ("history", 2), ("ok", None)]


@pytest.mark.parametrize("rounds", [1, 3])
def test_a_number_taken_before_is_answered_again_and_not_stored_twice(rounds: int) -> None:
    broker = Broker()
    alice = broker.hello("alice")
    line = alice.line("say", n=1, room="general", text="once")
    answers = [alice.send(line) for _ in range(rounds)]
    answers.append(alice.send(line, line))
    assert all(answer == {"type": "ack", "n": 1, "seq": 1} for found in answers for answer in found)
    assert len(broker.heard("general")) == 1


def test_a_number_that_comes_too_early_takes_nothing() -> None:
    broker = Broker()
    alice = broker.hello("alice")
    (error,) = alice.ask("say", n=3, room="general", text="x", ref="r")
    assert (error["code"], error["expected"], error["n"], error["ref"]) == ("out_of_order", 1, 3, "r")
    assert codes(alice.say("a")) == ["ack"]


REFUSALS: list[tuple[str, dict[str, Any]]] = [
    ("bad_text", {"text": ""}),
    ("too_long", {"text": "é" * 8_193}),
    ("too_long", {"once": "k" * 129}),
    ("bad_room", {"room": "a/b"}),
    ("bad_room", {"room": ""}),
    ("unknown_nick", {"room": None, "to": "nobody"}),
]


@pytest.mark.parametrize("known", [True, False], ids=["in a known room", "in a new room"])
@pytest.mark.parametrize(("code", "fields"), REFUSALS)
def test_a_refusal_takes_its_number_and_is_repeated_also_after_a_crash(
    code: str, fields: dict[str, Any], known: bool
) -> None:
    broker = Broker()
    alice = broker.hello("alice")
    if known:
        broker.hello("bob").say("here", room="general")
    refused = alice.say(**fields)
    assert codes(refused) == [code]
    alice.n = 0
    assert alice.say(**fields) == refused
    broker.open()
    again = broker.hello("alice", client=alice.welcome["client"])
    assert again.welcome["n"] == 1
    assert again.say(**fields) == refused
    assert codes(again.say("fine")) == ["ack"]
    assert again.n == 2


def test_a_command_that_nothing_handles_is_a_bad_command_to_whoever_has_a_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(HANDLERS, m.Who)
    broker = Broker()
    alice = broker.hello("alice")
    assert codes(alice.ask("who")) == ["bad_command"]
    assert codes(broker.peer().ask("who")) == ["no_session"]
    assert codes(alice.ask("ping")) == ["pong"]


def test_a_text_of_just_the_limit_is_stored() -> None:
    broker = Broker()
    assert codes(broker.hello("alice").say("é" * 8_192)) == ["ack"]


def test_an_observer_cannot_speak_and_is_in_no_roster() -> None:
    broker = Broker()
    alice, observer = broker.hello("alice"), broker.hello()
    alice.ask("join", room="general")
    (joined,) = observer.ask("join", room="general")
    assert [member["nick"] for member in joined["members"]] == ["alice"]
    assert codes(observer.say("x")) == ["forbidden"]
    for command in ({"type": "nick", "nick": "x"}, {"type": "away"}, {"type": "typing", "room": "general"}):
        assert codes(observer.send(json.dumps(command).encode())) == ["forbidden"]


def test_a_crash_forgets_who_was_here_but_nothing_that_was_acknowledged() -> None:
    broker = Broker()
    alice = broker.hello("alice")
    alice.ask("topic", n=1, room="general", text="news")
    alice.ask("say", n=2, room="general", text="a", once="key")
    broker.open()
    assert codes(alice.ask("ping")) == ["no_session"]
    again = broker.hello("alice", client=alice.welcome["client"])
    assert again.welcome["n"] == 2
    assert again.ask("say", n=2, room="general", text="a", once="key") == [{"type": "ack", "n": 2, "seq": 2}]
    assert again.ask("say", n=3, room="general", text="b", once="key") == [
        {"type": "ack", "n": 3, "seq": 2, "duplicate": True}
    ]
    (joined,) = again.ask("join", room="general")
    assert (joined["topic"], joined["head"]) == ("news", 2)
    again.ask("say", n=4, room="general", text="c")
    (event,) = broker.heard("general", "message")[-1:]
    assert (event["seq"], event["prev"]) == (3, 2), "no seq is used twice"


def test_a_write_that_fails_in_no_way_we_know_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker()
    alice = broker.hello("alice")
    insert = broker.store._insert

    def broken(batch: Batch) -> None:
        insert(batch)
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(broker.store, "_insert", broken)
        assert alice.ask("say", n=1, room="general", text="a")[0]["code"] == "unavailable"
    assert alice.ask("say", n=1, room="general", text="a")[0]["seq"] == 1


def test_a_disk_that_is_full_takes_nothing_and_service_resumes_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker()
    alice = broker.hello("alice")
    alice.ask("join", room="general")
    broker.heard("general")

    def full(batch: Batch) -> None:
        raise DiskFullError(broker.store.path)

    with monkeypatch.context() as patch:
        patch.setattr(broker.store, "write", full)  # a real full disk is in the integration tests
        replies = alice.send(
            alice.line("say", n=1, room="general", text="a"),
            alice.line("say", n=2, room="elsewhere", text="b"),
            alice.line("say", n=1, room="general", text="a"),
            alice.line("ping"),
        )
    assert codes(replies) == ["unavailable", "unavailable", "unavailable", "pong"]
    assert replies[0]["retry_after"] > 0
    assert (replies[3]["n"], replies[3]["heads"]) == (0, {"general": 0})
    assert broker.heard("general") == []
    assert alice.say("a") == [{"type": "ack", "n": 1, "seq": 1}]
    assert [event["prev"] for event in broker.heard("general")] == [0]


def test_numbers_on_their_way_to_the_disk_are_not_forgotten_when_their_client_comes_back_in_the_same_batch() -> None:
    broker = Broker()
    alice = broker.hello("alice")
    client = alice.welcome["client"]
    replies = alice.send(
        alice.line("say", n=1, room="general", text="a"),
        alice.line("bye"),
        alice.line("hello", protocol=1, nick="alice", client=client),
        alice.line("say", n=1, room="general", text="a"),
    )
    assert [(line["type"], line.get("n")) for line in replies] == [("ack", 1), ("welcome", 1), ("ack", 1)]
    assert len(broker.heard("general", "message")) == 1


def test_a_session_moves_to_the_connection_that_says_hello_with_its_client_or_token() -> None:
    broker = Broker()
    alice, bob = broker.hello("alice"), broker.hello("bob")
    alice.ask("join", room="general")
    broker.heard("general")
    second = broker.peer()
    (welcome,) = second.ask("hello", protocol=1, client=alice.welcome["client"])
    assert (welcome["nick"], welcome["id"]) == ("alice", alice.welcome["id"])
    assert alice.read() == [{"type": "bye", "reason": "replaced"}]
    third = broker.peer()
    (welcome,) = third.ask("hello", protocol=1, resume=welcome["session"], nick="alicia")
    assert welcome["client"] == alice.welcome["client"]
    assert [event["type"] for event in broker.heard("general")] == ["renamed"], "neither left nor joined"
    assert codes(second.ask("ping")) == ["bye", "no_session"]
    assert codes(bob.ask("nick", nick="alice")) == ["renamed"], "the old nick is free"


def test_the_token_of_a_session_that_has_ended_begins_another() -> None:
    broker = Broker()
    alice, bob = broker.hello("alice"), broker.hello("bob")
    alice.ask("bye")
    again = broker.hello("alice", resume=alice.welcome["session"])
    assert again.welcome["id"] != alice.welcome["id"]
    assert again.welcome["session"] != alice.welcome["session"]
    assert [member["nick"] for member in bob.ask("who")[0]["members"]] == ["bob", "alice"]


def test_a_client_that_only_looks_like_another_does_not_get_its_session() -> None:
    broker = Broker()
    broker.hello("alice", client="a" * 32)
    other = broker.peer()
    assert codes(other.ask("hello", protocol=1, client="b" * 32, nick="alice")) == ["nick_taken"]
    assert codes(other.ask("hello", protocol=1, resume="a" * 32, nick="alice")) == ["nick_taken"]


def test_a_nick_is_shown_prepared_however_it_was_typed() -> None:
    broker = Broker()
    assert broker.hello("Ame\u0301lie").welcome["nick"] == "Am\u00e9lie"


@pytest.mark.parametrize("taken", ["alice", "ALICE", "ａｌｉｃｅ"])
def test_a_nick_is_taken_whatever_its_case_and_width(taken: str) -> None:
    broker = Broker()
    alice = broker.hello("Alice")
    assert codes(broker.peer().ask("hello", protocol=1, nick=taken)) == ["nick_taken"]
    assert codes(alice.ask("nick", nick=taken)) == ["renamed"], "but its owner may write it otherwise"


@pytest.mark.parametrize(
    ("here", "other"),
    [
        *(
            ("alice", "\u0430lice"),
            ("alice", "al\u0131ce"),
            ("Alice", "alic\u0435"),
            ("\u0430lice", "alice"),
        ),  # Cyrillic
        *(
            ("bob", "\u0412\u041e\u0412"),
            ("BOB", "\u0392\u039f\u0392"),
            ("ivan", "\u0406van"),
        ),  # capitals of three scripts
        *(("Ivan", "lv\u0430n"), ("tom", "to\U00011700"), ("bot1", "bot\u06f1"), ("\u0392ob", "\u0412ob")),
        *(
            ("\u042f\u043d\u0430", "\u042f\u043d\u0061"),
            ("\u067e\u06a9", "\u067e\u0643"),
            ("\u4e8c", "\u30cb"),
        ),  # none is Latin
        ("\u0646\u0645\u06cc", "\u0646\u0645\u200c\u06cc"),  # with a joiner that is not seen
    ],
    ids=ascii,
)
def test_a_nick_that_looks_like_anothers_is_taken(here: str, other: str) -> None:
    broker = Broker()
    broker.hello(here)
    carol = broker.hello("carol")
    (refused,) = broker.peer().ask("hello", protocol=1, nick=other)
    assert (refused["code"], refused["message"]) == ("nick_taken", f"the nick {other} looks like {here}, who is here")
    assert carol.ask("nick", nick=other)[0] == refused
    (roster,) = carol.ask("who")
    assert [member["nick"] for member in roster["members"]] == [here, "carol"]


@pytest.mark.parametrize(
    ("here", "other"),
    [
        *(("bot1", "botl"), ("botI", "bot1"), ("marta", "rnarta"), ("b0b", "bob")),  # plain ASCII means what it says
        *(
            ("jose", "jos\u00e9"),
            ("strasse", "stra\u00dfe"),
            ("alice", "\u0430\u043b\u0438\u0441\u0430"),
            ("oly", "\u043e\u043b\u044f"),
        ),
        *(
            ("nikos", "\u03bd\u03af\u03ba\u03bf\u03c2"),
            ("lilei", "\u674e\u96f7"),
            ("\u674e\u96f7", "\u674e\u6885"),
            ("\u0430\u043d\u043d\u0430", "\u043e\u043b\u044f"),
        ),
    ],
    ids=ascii,
)
def test_a_nick_that_looks_like_nobodys_is_welcome(here: str, other: str) -> None:
    broker = Broker()
    broker.hello(here)
    assert broker.hello(other).welcome["nick"] == other


def test_a_nick_may_look_like_ones_own() -> None:
    broker = Broker()
    alice = broker.hello("alice", client="a" * 32)
    for nick in ("\u0430lice", "Alic\u0435", "alice"):
        assert codes(alice.ask("nick", nick=nick)) == ["renamed"]
    assert broker.hello("al\u0131ce", client="a" * 32).welcome["nick"] == "al\u0131ce", "over another connection"
    assert codes(broker.peer().ask("hello", protocol=1, nick="alice")) == ["nick_taken"]
    other = broker.hello("\u043eleg")
    assert codes(other.ask("hello", protocol=1, nick="oleg"))[-1] == "welcome", "who makes way is in nobody's"


def test_the_look_of_a_nick_is_free_when_the_last_who_has_it_is_gone() -> None:
    broker = Broker()
    one, other = broker.hello("bot1"), broker.hello("botl")
    fake = {"protocol": 1, "nick": "b\u043et1"}
    assert "bot1" in broker.peer().ask("hello", **fake)[0]["message"]
    one.ask("bye")
    assert "botl" in broker.peer().ask("hello", **fake)[0]["message"]
    other.ask("nick", nick="else")
    assert codes(broker.peer().ask("hello", **fake)) == ["welcome"]
    for nick in ("bot1", "botl"):
        assert codes(other.ask("nick", nick=nick)) == ["nick_taken"]


ALIKE = (
    "alice",
    "Alice",
    "al1ce",
    "\u0430lice",
    "alic\u0435",
    "al\u0131ce",
    "bob",
    "b0b",
    "\u0412\u041e\u0412",
    "\u0392ob",
    "carol",
)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from(("hello", "again", "nick", "bye")), st.sampled_from(ALIKE)))
)
def test_no_two_who_are_here_look_alike_whoever_comes_goes_and_takes_another_nick(
    story: list[tuple[int, str, str]],
) -> None:
    def alike(one: str, other: str) -> bool:
        same = names.nick_key(one) == names.nick_key(other)
        return same or (not (one + other).isascii() and bool(looks(one) & looks(other)))

    broker = Broker()
    peers = [broker.peer() for _ in range(6)]
    here: dict[int, str] = {}
    for who, what, nick in story:
        if what == "bye":
            peers[who].ask("bye")
            here.pop(who, None)
        elif what != "nick" or who in here:
            peer = broker.peer() if what == "again" else peers[who]  # over another connection
            hello = {"protocol": 1, "client": f"{who:032x}"} if what != "nick" else {}
            taken = codes(peer.ask("nick" if what == "nick" else "hello", nick=nick, **hello))[-1] == "nick_taken"
            assert taken is any(alike(nick, other) for one, other in here.items() if one != who)
            if not taken:
                peers[who], here[who] = peer, nick


def test_the_silent_are_dropped_and_their_nick_is_free() -> None:
    broker = Broker()
    alice, bob = broker.hello("alice"), broker.hello("bob")
    alice.ask("join", room="general")
    for _ in range(4):
        broker.tick(5)
        bob.ask("ping")
    assert alice.read() == [{"type": "bye", "reason": "timeout"}]
    assert [(event["type"], event.get("reason")) for event in broker.heard("general")] == [
        ("joined", None),
        ("left", "timeout"),
    ]
    assert codes(alice.ask("ping")) == ["no_session"]
    assert broker.hello("alice").welcome["nick"] == "alice"


def test_who_only_talks_is_not_silent() -> None:
    broker = Broker()
    alice = broker.hello("alice")
    for _ in range(5):
        assert codes(alice.say("on and on")) == ["ack"]
        broker.tick(5)


def test_idle_counts_from_the_last_command_that_was_no_ping() -> None:
    broker = Broker()
    alice, bob = broker.hello("alice"), broker.hello("bob")

    def idle() -> int:
        return int(bob.ask("who", nick="alice")[0]["members"][0]["idle"])

    for text in ("in a new room", "in a known one"):
        broker.now += 60
        alice.say(text)
        assert idle() == 0
    broker.now += 60
    alice.ask("ping")
    assert idle() == 60
    alice.ask("away")
    assert idle() == 0


def test_after_a_stall_of_the_brokers_own_everyone_has_a_new_grace() -> None:
    broker = Broker()
    alice = broker.hello("alice")
    broker.tick(60)
    broker.tick(5)
    assert codes(alice.ask("ping")) == ["pong"]


def test_a_nick_is_free_again_after_bye() -> None:
    broker = Broker()
    alice = broker.hello("alice")
    alice.ask("join", room="general")
    assert alice.ask("bye", reason="tea") == []
    (_, left) = broker.heard("general")
    assert (left["type"], left["reason"], left["text"]) == ("left", "bye", "tea")
    broker.hello("alice")


def test_the_rate_bounds_every_line_also_mistakes_and_bursts_are_twice_it() -> None:
    broker = Broker(rate=10.0)
    alice = broker.hello("alice")
    alice.send(*[b"nonsense"] * 18)
    replies = alice.send(*[alice.line("ping")] * 3)
    assert codes(replies) == ["pong", "rate_limited", "rate_limited"]
    assert 0 < replies[1]["retry_after"] <= 0.1
    broker.now += 0.2
    assert codes(alice.send(*[alice.line("ping")] * 3)) == ["pong", "pong", "rate_limited"]


def test_neither_bye_nor_taking_over_refills_the_rate() -> None:
    broker = Broker(rate=10.0)
    alice = broker.hello("alice")
    hello = alice.line("hello", protocol=1, nick="alice", client=alice.welcome["client"])
    replies = alice.send(*[alice.line("ping")] * 17, alice.line("bye"), hello, alice.line("ping"))
    assert codes(replies)[-1] == "rate_limited"
    broker.now += 0.1
    second = broker.peer()
    assert codes(second.send(hello, *[alice.line("ping")] * 20)) == ["welcome", "pong", *["rate_limited"] * 19]


def test_what_a_query_answers_costs_as_well() -> None:
    broker = Broker(rate=10.0)
    alice = broker.hello("alice")
    for _ in range(9):
        alice.say("x" * 16_000)
    alice.ask("history", room="general", after=0)
    assert codes(alice.send(*[alice.line("ping")] * 9)).count("pong") < 9


def test_a_broker_that_is_full_says_so_and_serves_those_who_are_here() -> None:
    broker = Broker(capacity=1)
    alice = broker.hello("alice")
    assert codes(broker.peer().ask("hello", protocol=1, nick="bob", ref=1)) == ["server_full"]
    assert codes(alice.ask("ping")) == ["pong"]


def test_who_does_not_tell_the_rooms_that_somebody_follows_quietly() -> None:
    broker = Broker()
    alice, bob = broker.hello("alice"), broker.hello("bob")
    alice.ask("join", room="seen")
    alice.ask("join", room="unseen", quiet=True)
    assert bob.ask("who", nick="alice")[0]["members"][0]["rooms"] == ["seen"]


def test_rosters_count_their_changes() -> None:
    broker = Broker()
    alice = broker.hello("alice")
    alice.ask("join", room="general")
    bob = broker.hello("bob", bot=True)
    bob.ask("join", room="general", quiet=True)
    bob.ask("join", room="general")
    bob.ask("join", room="general")
    bob.ask("nick", nick="rob")
    bob.ask("away", text="tea")
    bob.ask("away", text="tea")
    bob.ask("away")
    bob.ask("part", room="general")
    events = broker.heard("general")
    assert [(event["type"], event["rev"]) for event in events] == [
        ("joined", 1),
        ("joined", 2),
        ("renamed", 3),
        ("away", 4),
        ("away", 5),
        ("left", 6),
    ]
    assert events[1]["bot"] is True


def test_direct_messages_reach_both_ends_and_never_the_feed() -> None:
    broker = Broker()
    alice, bob, eve = broker.hello("alice"), broker.hello("bob"), broker.hello("eve")
    (ack, own) = alice.say("psst", room=None, to="BOB")
    (event,) = bob.read()
    assert own == event
    assert (event["to"], event["prev"], ack["seq"]) == ("bob", 0, event["seq"])
    assert "room" not in event
    assert (broker.published, eve.read()) == ([], [])
    (_, answer) = bob.say("yes?", room=None, to="alice")
    assert answer["prev"] == event["seq"]
    (history,) = bob.ask("history", to="alice", after=0)
    assert history["events"] == [event, answer]
    assert eve.ask("history", to="alice", after=0)[0]["events"] == []
    assert bob.ask("ping")[0]["heads"] == {"@alice": answer["seq"]}


def test_a_conversation_stays_open_to_its_two_ends_after_a_crash_and_under_old_nicks() -> None:
    broker = Broker()
    alice, bob = broker.hello("alice"), broker.hello("bob")
    alice.say("psst", room=None, to="bob")
    broker.open()
    again = broker.hello("alice", client=alice.welcome["client"])
    (history,) = again.ask("history", to="bob", after=0)
    assert [event["text"] for event in history["events"]] == ["psst"]
    assert again.ask("ping")[0]["heads"] == {"@bob": 1}
    stranger = broker.hello("bob")
    assert stranger.ask("history", to="alice", after=0)[0]["events"] == [], "a nick may change hands, `from` does not"
    assert again.ask("ping")[0]["heads"] == {f"@bob/{bob.welcome['from']}": 1}
    assert again.ask("history", to="bob", after=0)[0]["events"] == [], "it means the stranger now, as in `say`"
    stranger.ask("bye")
    back = broker.hello("rob", client=bob.welcome["client"])
    assert len(back.ask("history", to="alice", after=0)[0]["events"]) == 1
    assert again.ask("ping")[0]["heads"] == {"@rob": 1}


def test_a_conversation_is_known_by_the_last_nick_of_its_other_end() -> None:
    broker = Broker()
    alice, bob = broker.hello("alice"), broker.hello("bob")
    alice.say("psst", room=None, to="bob")
    bob.ask("nick", nick="rob")
    bob.ask("bye")
    assert alice.ask("ping")[-1]["heads"] == {"@rob": 1}
    assert len(alice.ask("history", to="rob", after=0)[0]["events"]) == 1
    assert codes(alice.ask("history", to="bob", after=0)) == ["unknown_nick"]


def test_talking_to_oneself_is_delivered_once() -> None:
    broker = Broker()
    alice = broker.hello("alice")
    replies = alice.say("note", room=None, to="alice")
    assert codes(replies) == ["ack", "message"]


def test_history_pages_forward_and_backward() -> None:
    broker = Broker()
    alice = broker.hello("alice")
    for i in range(5):
        alice.say(str(i))
        alice.say("other", room="other")

    def ask(**fields: Any) -> tuple[list[int], int, bool]:
        (found,) = alice.ask("history", room="general", **fields)
        return [event["seq"] for event in found["events"]], found["upto"], found["more"]

    assert ask(after=0) == ([1, 3, 5, 7, 9], 9, False)
    assert ask(after=3, limit=2) == ([5, 7], 7, True)
    assert ask(after=7, limit=2) == ([9], 9, False)
    assert ask(after=9) == ([], 9, False)
    assert ask(before=7, limit=2) == ([3, 5], 6, True)
    assert ask(before=3) == ([1], 2, False)
    assert ask(limit=2) == ([7, 9], 9, True)
    (joined, history) = alice.ask("join", room="general", backlog=2)
    assert ([event["seq"] for event in history["events"]], history["upto"], joined["head"]) == ([7, 9], 9, 9)
    (_, history) = alice.ask("join", room="general", backlog=0)
    assert (history["events"], history["upto"]) == ([], 9)


def test_an_answer_is_cut_at_256_kib_and_says_that_there_is_more() -> None:
    broker = Broker()
    alice = broker.hello("alice")
    for _ in range(20):
        alice.say("x" * 16_000)
    (first,) = alice.ask("history", room="general", after=0)
    assert len(json.dumps(first)) <= 256 * 1024
    assert first["more"] is True
    assert first["upto"] == first["events"][-1]["seq"]
    (rest,) = alice.ask("history", room="general", after=first["upto"])
    assert len(first["events"]) + len(rest["events"]) == 20
    (last,) = alice.ask("history", room="general")
    assert (last["more"], last["events"][-1]["seq"], last["upto"]) == (True, 20, 20)


def test_history_since_a_time_begins_with_the_first_event_of_that_time() -> None:
    broker = Broker()
    alice = broker.hello("alice")
    for i in range(7):
        broker.now = i * 2.0
        alice.say(str(i))
    (found,) = alice.ask("history", room="general", since="2026-11-22T05:30:06.000Z")
    assert [event["text"] for event in found["events"]] == ["3", "4", "5", "6"]
    (found,) = alice.ask("history", room="general", since="2026-11-22T05:30:06.001Z")
    assert [event["text"] for event in found["events"]] == ["4", "5", "6"]
    assert len(alice.ask("history", room="general", since="2020-01-01T00:00:00Z")[0]["events"]) == 7
    assert alice.ask("history", room="general", since="2030-01-01T00:00:00Z")[0]["events"] == []


def test_search_finds_public_messages_by_word_phrase_beginning_room_and_nick() -> None:
    broker = Broker()
    alice, bob = broker.hello("alice"), broker.hello("Bob")
    alice.say("the deploy is green")
    bob.say("green the deploy is", room="ops")
    alice.say("a green secret", room=None, to="bob")
    alice.ask("topic", n=3, room="ops", text="greenfield")

    def find(text: str, **fields: Any) -> list[int]:
        (found,) = alice.ask("search", text=text, **fields)
        return [event["seq"] for event in found["events"]]

    alice.read()
    assert find("GREEN deploy") == [1, 2]
    assert find('"deploy is green"') == [1]
    assert find("gree*") == [1, 2, 3, 4]
    assert find("green", room="ops") == [2]
    assert find("green", nick="bob") == [2]
    assert find("green", before=2) == [1]
    assert find("green", limit=1) == [3]
    assert find("green", room="nowhere") == []
    assert find("secret") == [3], "one's own conversations are searched, too"
    (found,) = broker.hello("carol").ask("search", text="secret")
    assert found["events"] == [], "and nobody else's"
    assert find('NEAR( AND "unclosed') == []


def test_asking_for_two_things_at_once_is_a_bad_command() -> None:
    broker = Broker()
    alice = broker.hello("alice")
    for command in (
        {"type": "say", "n": 1, "text": "x"},
        {"type": "say", "n": 1, "text": "x", "room": "a", "to": "b"},
        {"type": "history"},
        {"type": "history", "room": "a", "to": "b", "after": 0},
        {"type": "history", "room": "a", "after": 0, "before": 9},
        {"type": "join", "room": "a", "after": 0, "backlog": 1},
        {"type": "typing"},
        {"type": "typing", "room": "a", "to": "b"},
    ):
        assert codes(alice.send(json.dumps(command).encode())) == ["bad_command"]
    assert codes(alice.say("n was not taken")) == ["ack"]


def test_a_mistake_of_ours_costs_the_line_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker()
    alice, bob = broker.hello("alice"), broker.hello("bob")
    real = broker.hub.receive

    def broken(peer: bytes, command: Any, *rest: Any) -> Any:
        if getattr(command, "ref", None) == "boom":
            raise ZeroDivisionError
        return real(peer, command, *rest)

    monkeypatch.setattr(broker.hub, "receive", broken)
    broker.take((alice.id, alice.line("ping", ref="boom")), (bob.id, bob.line("ping")))
    assert alice.read()[0]["code"] == "internal"
    assert codes(bob.read()) == ["pong"]


def test_what_a_peer_lets_pile_up_behind_a_query_ends_it() -> None:
    broker = Broker()
    alice, bob = broker.hello("alice"), broker.hello("bob")
    broker.pipeline.begin([(bob.id, bob.line("history", room="x"))], 0.0, 0.0)
    for n in range(1, 1_100):
        assert bob.id not in broker.pipeline.slow or n > 1_000
        broker.pipeline.begin([(alice.id, alice.line("say", n=n, to="bob", text="x" * 16_000))], 0.0, 0.0)
    assert bob.id in broker.pipeline.slow
    assert alice.id not in broker.pipeline.slow


def test_drafts_are_immutable() -> None:
    draft = Draft("f", "alice", [m.Say(n=1, text="text")], "general")
    with pytest.raises(AttributeError):
        draft.room = "ops"  # type: ignore[misc]


def test_a_room_is_not_forgotten_while_an_event_is_on_its_way_to_it() -> None:
    broker = Broker()
    alice = broker.hello("alice")
    answers = alice.send(
        alice.line("join", room="b"),
        alice.line("rooms"),
        alice.line("topic", n=1, room="b", text="T1"),
        alice.line("join", room="b"),
        alice.line("ping"),
        alice.line("rooms"),
        alice.line("part", room="b"),
    )
    joined, none, _, again, pong, listed, _ = answers
    assert (joined["topic"], again["topic"], again["head"]) == ("", "T1", 1)
    assert none["rooms"] == [{"room": "b", "topic": "", "members": 1, "head": 0}]
    assert pong["heads"] == {"b": 1}
    assert listed["rooms"] == [{"room": "b", "topic": "T1", "members": 1, "head": 1}]


def test_the_status_counts_who_is_here_and_the_rooms_that_somebody_is_in_or_that_were_written_to() -> None:
    broker = Broker()
    alice, observer = broker.hello("alice"), broker.hello()
    broker.hello("bob").ask("bye")
    alice.say("written to", room="left")
    alice.say("to herself", room=None, to="alice")
    alice.ask("join", room="full")
    alice.send(alice.line("join", room="forgotten"), alice.line("part", room="forgotten"))
    observer.ask("join", room="followed")
    broker.hub.log_bytes = 4_096
    broker.now += 2.5
    assert broker.peer().ask("status", ref=1) == [
        {
            "type": "status",
            "ref": 1,
            "server": "zchat/test",
            "uptime": 2.5,
            "sessions": 2,
            "rooms": 2,
            "head": 2,
            "rate": 0.0,
            "log_bytes": 4_096,
            "feed": "tcp://127.0.0.1:5556",
        }
    ]


def test_the_rate_is_of_the_time_that_has_passed_however_even_the_clock() -> None:
    broker = Broker()
    alice = broker.hello("alice")
    for now, count in ((1.5, 15), (2.5, 10), (5.0, 25)):
        for _ in range(count):
            alice.say("x")
        broker.hub.second(now)
    assert alice.ask("status")[0]["rate"] == 10.0
    for now in range(6, 66):
        broker.hub.second(float(now))
    assert alice.ask("status")[0]["rate"] == 0.0


def test_an_empty_room_in_which_nothing_was_said_is_forgotten_in_the_end() -> None:
    broker = Broker()
    alice = broker.hello("alice")
    alice.send(*[alice.line(type_, room=f"r{k}") for k in range(10) for type_ in ("join", "part")])
    alice.ask("join", room="r1")
    broker.hub.second(1.0)
    assert set(broker.hub.roster.rooms) == {"r1"}


def test_what_changes_of_members_between_two_joins_stands_in_the_list_of_the_second() -> None:
    broker = Broker()
    alice, bob, carol = (broker.hello(nick, client=nick[0] * 32) for nick in ("alice", "bob", "carol"))
    looker = broker.hello()

    def listed() -> list[tuple[str, str | None, bool]]:
        (joined,) = looker.ask("join", room="general", quiet=True)
        (who,) = looker.ask("who", room="general")
        assert joined["members"] == who["members"]
        return [(one["nick"], one.get("away"), one["bot"]) for one in joined["members"]]

    assert listed() == []
    alice.ask("join", room="general")
    bob.ask("join", room="general")
    assert listed() == [("alice", None, False), ("bob", None, False)]
    alice.ask("away", text="lunch")
    bob.ask("nick", nick="bert")
    assert listed() == [("alice", "lunch", False), ("bert", None, False)]
    alice.ask("part", room="general")
    carol.ask("join", room="general")
    assert listed() == [("bert", None, False), ("carol", None, False)]
    again = broker.peer()
    again.ask("hello", protocol=1, nick="carol", client="c" * 32, resume=carol.welcome["session"], bot=True)
    assert listed() == [("bert", None, False), ("carol", None, True)]
    broker.tick(4.0)
    assert [one["idle"] for one in looker.ask("join", room="general", quiet=True)[0]["members"]] == [4, 4]


def test_an_answer_to_what_is_not_there_is_refused_and_one_to_what_is_there_is_not() -> None:
    broker = Broker()
    alice, bob = broker.hello("alice"), broker.hello("bob")
    alice.say("one", room="general")  # 1
    alice.say("elsewhere", room="ops")  # 2
    alice.say("between us", room=None, to="bob")  # 3
    bob.say("apart", room="general")  # 4
    for room, seq in (("general", 2), ("general", 3), ("general", 5), ("general", 10**9), ("ops", 1), ("new", 1)):
        assert codes(alice.say("what?", room=room, reply_to=seq)) == ["bad_reply"], (room, seq)
    for room, seq in (("general", 1), ("general", 4), ("ops", 2)):
        assert codes(alice.say("yes", room=room, reply_to=seq)) == ["ack"], (room, seq)
    bob.read()
    assert codes(bob.say("yes", room=None, to="alice", reply_to=3)) == ["ack", "message"]
    assert codes(bob.say("no", room=None, to="alice", reply_to=1)) == ["bad_reply"]
    assert "new" not in broker.hub.roster.rooms


def test_a_declined_answer_takes_its_number_and_is_answered_the_same_after_a_crash() -> None:
    broker = Broker()
    alice = broker.hello("alice", client="a" * 32)
    (refused,) = alice.ask("say", n=1, room="general", text="what?", reply_to=7, once="key")
    broker.open()
    again = broker.hello("alice", client="a" * 32)
    assert again.welcome["n"] == 1
    assert again.ask("say", n=1, room="general", text="what?", reply_to=7, once="key") == [refused]
    assert codes(again.ask("say", n=2, room="general", text="another", once="key")) == ["ack"]


def test_each_of_the_events_that_were_stored_together_can_be_answered() -> None:
    broker = Broker()
    alice, bob = broker.hello("alice"), broker.hello("bob")
    lines = [alice.line("say", n=n, room=("a", "b")[n % 2], text=f'"seq":{n},"prev"') for n in range(1, 9)]
    alice.send(b"\n".join(lines))
    seqs = [event["seq"] for _, event in broker.published]
    assert len(seqs) == 8
    rooms = {event["seq"]: event["room"] for _, event in broker.published}
    for seq in seqs:
        for room in ("a", "b"):
            expected = "ack" if rooms[seq] == room else "bad_reply"
            assert codes(bob.say("yes", room=room, reply_to=seq)) == [expected]
