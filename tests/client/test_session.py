"""The connection: hello, welcome, the proof of the feed, silence, loss, coming back, and the ends."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.client.script import LOG, Talk, error, history, joined, message, pong, welcome
from zchat.client.core import effects as do
from zchat.client.core.notices import CaughtUp, Ended, KeptOut, NickRefused, Offline, Online
from zchat.errors import NickTakenError, RefusedError, UnreachableError
from zchat.protocol import FEATURES
from zchat.protocol import messages as m


def test_a_new_connection_says_hello_with_its_client_id_and_nothing_else() -> None:
    talk = Talk(("dev",), bot=True, software="script/1")
    talk.connect()
    hello = talk.asked("hello")
    assert hello.pop("ref") is not None
    known = {"type": "hello", "protocol": 1, "nick": "alice", "client": "c" * 32, "features": [*FEATURES]}
    assert hello == known | {"bot": True, "software": "script/1"}
    assert talk.sent == []


def test_rooms_are_joined_only_after_the_echo_has_proved_the_feed() -> None:
    talk = Talk(("dev", "ops"))
    talk.greet()
    assert [effect.endpoint for effect in talk.did(do.ConnectFeed)] == ["tcp://127.0.0.1:5556"]
    topics = [effect.topic for effect in talk.did(do.Subscribe)]
    assert topics == [b"broker/", b"room/dev/", b"room/ops/", b"session/5e55/"]
    talk.tick(0.0)
    assert talk.asked("ping")["feed"] is True
    assert "join" not in talk.types()
    talk.publish("session/5e55/", {"type": "echo"})
    assert [line["room"] for line in talk.sent] == ["dev", "ops"]


def test_the_ping_that_proves_the_feed_is_repeated_until_its_echo_arrives() -> None:
    talk = Talk(("dev",))
    talk.greet()
    for _ in range(6):
        talk.tick(0.1)
    assert sum(line["type"] == "ping" and line.get("feed", False) for line in talk.sent) > 3
    talk.prove()
    talk.sent.clear()
    talk.tick(0.1)
    assert talk.types() == []


def test_the_first_proof_leaves_at_once_and_the_second_after_as_long_as_the_hello_took() -> None:
    talk = Talk(("dev",))
    talk.connect()
    talk.now += 0.2
    talk.reply(welcome(ref=talk.asked("hello")["ref"]))
    assert talk.types() == ["ping"]
    assert talk.session.wait(talk.now) == pytest.approx(0.2)
    talk.tick(0.2)
    assert [line["feed"] for line in talk.sent] == [True]
    assert talk.session.wait(talk.now) == pytest.approx(0.4)


def test_a_feed_that_stays_silent_is_opened_again() -> None:
    talk = Talk(("dev",))
    talk.live()
    talk.did(do.ConnectFeed)
    for _ in range(8):
        talk.tick(5.0)
        talk.reply(pong())
    assert talk.did(do.ConnectFeed), "the echo stayed out for a grace"
    assert not talk.session.rooms["dev"].joined
    talk.prove()
    assert talk.asked("join")["after"] == 0


def test_a_wildcard_feed_is_at_the_host_that_was_reached() -> None:
    talk = Talk(("dev",))
    talk.greet(feed="tcp://*:7000")
    assert [effect.endpoint for effect in talk.did(do.ConnectFeed)] == ["tcp://127.0.0.1:7000"]


def test_a_feed_given_by_the_user_is_used_whatever_welcome_says() -> None:
    talk = Talk(("dev",), feed="tcp://127.0.0.1:9000")
    talk.greet()
    assert [effect.endpoint for effect in talk.did(do.ConnectFeed)] == ["tcp://127.0.0.1:9000"]


def test_without_rooms_there_is_no_feed() -> None:
    talk = Talk()
    talk.greet()
    assert talk.did(do.ConnectFeed) == []
    assert talk.did(do.Ready)


def test_ready_comes_once_all_first_rooms_are_joined() -> None:
    talk = Talk(("dev", "ops"))
    talk.greet()
    talk.prove()
    first, second = talk.asked("join"), talk.asked("join")
    talk.reply(joined(first))
    assert talk.did(do.Ready) == []
    talk.reply(joined(second))
    assert talk.did(do.Ready)
    assert [event for event in talk.delivered if isinstance(event, CaughtUp)] == [CaughtUp("dev"), CaughtUp("ops")]


def test_an_idle_session_pings_every_heartbeat() -> None:
    talk = Talk()
    talk.live()
    talk.tick(0.0)
    talk.types()
    talk.tick(4.9)
    assert talk.types() == []
    talk.tick(0.2)
    assert talk.types() == ["ping"]


@pytest.mark.parametrize(
    "fields",
    [
        {"epochs": [["none", 1]]},
        {"epochs": [["0" * 16, 0]]},
        {"epochs": [["0" * 16, 1]] * 65},
        {"shared": -1},
        {"n": -1},
    ],
)
def test_a_welcome_with_what_no_broker_takes_back_is_none(fields: dict[str, Any]) -> None:
    talk = Talk()
    talk.greet(**fields)
    assert not talk.session.online
    assert talk.did(do.KeepEpochs) == []


@pytest.mark.parametrize("command", [m.Who(), m.AskStatus(), m.Search(text="x"), m.AskHistory(room="dev", after=0)])
def test_what_answers_another_question_is_no_answer(command: m.Command) -> None:
    talk = Talk()
    talk.live()
    talk.ask(command)
    ref = talk.sent[-1]["ref"]
    talk.reply({"type": "ok", "ref": ref}, {"type": "parted", "ref": ref, "room": "dev"}, pong(ref=ref))
    assert talk.answers == {}
    talk.tick(5.0)
    assert talk.answers == {"asked": None}, "it has timed out"


@pytest.mark.parametrize("heartbeat", [-1, 0, 1e-9])
def test_a_heartbeat_that_is_none_does_not_keep_the_session_busy(heartbeat: float) -> None:
    talk = Talk()
    talk.live(heartbeat=heartbeat)
    talk.tick(0.0)
    talk.types()
    until = talk.now + 1.0
    while talk.now < until:
        talk.tick(talk.session.wait(talk.now))
    assert 10 <= len(talk.types()) <= 25


def failures(talk: Talk, count: int, happens: Callable[[], None]) -> list[float]:
    """Have so many tries fail in a way; return the seconds that are waited for after each."""
    waits = []
    for _ in range(count):
        talk.connect()
        happens()
        waits += [effect.retry_in for effect in talk.did(do.Reconnect)]
    return waits


def test_silence_for_a_grace_is_a_loss_and_who_is_not_there_is_tried_every_few_seconds() -> None:
    talk = Talk()
    talk.live()
    for _ in range(4):
        talk.tick(5.0)
    waits = [effect.retry_in for effect in talk.did(do.Reconnect)] + failures(talk, 40, talk.cut)
    assert [type(event) for event in talk.delivered] == [Online, Offline], "it is said once"
    assert waits[:4] == pytest.approx([0.1, 0.2, 0.4, 0.8])
    assert waits[-1] == 2.5, "a person waits for it, and it is spared nothing"


def test_a_broker_that_is_there_and_lets_nobody_in_is_left_alone_for_longer_and_longer() -> None:
    talk = Talk()
    talk.live()
    talk.cut()
    talk.did(do.Reconnect)
    failures(talk, 40, talk.cut)
    waits = failures(talk, 12, lambda: talk.reply(error("server_full", ref=talk.sent[-1]["ref"])))
    assert waits[:4] == pytest.approx([0.1, 0.2, 0.4, 0.8]), "however long it was away before"
    assert waits[-1] == 30.0


def test_after_a_session_that_lasted_the_first_wait_is_short_again() -> None:
    talk = Talk()
    talk.live()
    for _ in range(12):
        talk.cut()
        talk.connect()
    talk.reply(welcome(ref=talk.sent[-1]["ref"]))
    talk.tick(5.0)
    talk.did(do.Reconnect)
    talk.cut()
    assert [effect.retry_in for effect in talk.did(do.Reconnect)] == pytest.approx([0.1])


def test_a_process_that_slept_does_not_take_the_broker_for_gone() -> None:
    talk = Talk()
    talk.live()
    talk.tick(3600.0)
    assert talk.did(do.Reconnect) == []
    assert "ping" in talk.types()


def test_coming_back_resumes_the_session_and_joins_after_the_cursor() -> None:
    talk = Talk(("dev",))
    talk.live(head=7)
    talk.feed("dev", message(8))
    talk.cut()
    assert not talk.session.online
    talk.connect()
    hello = talk.asked("hello")
    assert hello["resume"] == "token"
    talk.reply(welcome(ref=hello["ref"]))
    talk.prove()
    join = talk.asked("join")
    assert join["after"] == 8
    assert [event.again for event in talk.delivered if isinstance(event, Online)] == [False, True]
    talk.delivered.clear()
    talk.reply(joined(join, head=9), history(join, message(9), upto=9))
    assert talk.seqs() == [9]


def test_another_log_drops_the_cursors() -> None:
    talk = Talk(("dev",))
    talk.live(head=7)
    talk.cut()
    talk.greet(log="b" * 32)
    talk.prove()
    assert talk.asked("join")["after"] == 0
    assert talk.session.welcome is not None
    assert talk.session.welcome.log != LOG


def test_a_forgotten_session_says_hello_again_on_the_same_connection() -> None:
    talk = Talk(("dev",))
    talk.live()
    talk.tick(1.0)
    talk.reply(error("no_session"), error("no_session"))
    assert talk.types() == ["hello"]
    assert talk.did(do.Reconnect) == []


def test_a_question_that_finds_no_session_again_and_again_is_given_up_with_what_the_broker_says() -> None:
    talk = Talk()
    talk.live()
    talk.ask(m.ListRooms(), timeout=100.0)
    for _ in range(3):
        assert talk.answers == {}
        question = talk.asked("rooms")
        talk.tick(1.0)
        talk.reply(error("no_session", ref=question["ref"]))
        talk.reply(welcome(ref=talk.asked("hello")["ref"]))
        talk.prove()
        talk.tick(1.0)
    answer = talk.answers["asked"]
    assert isinstance(answer, m.Error)
    assert (answer.code, "rooms" in talk.types()) == ("no_session", False)


@pytest.mark.parametrize("reason", ["timeout", "slow"])
def test_a_session_that_was_ended_for_a_passing_reason_says_hello_again(reason: str) -> None:
    talk = Talk()
    talk.live()
    talk.tick(1.0)
    talk.sent.clear()
    talk.reply({"type": "bye", "reason": reason})
    assert talk.types() == ["hello"]


@pytest.mark.parametrize("reason", ["replaced", "kick"])
def test_a_session_that_was_replaced_or_kicked_does_not_come_back(reason: str) -> None:
    talk = Talk()
    talk.live()
    talk.reply({"type": "bye", "reason": reason})
    assert talk.delivered[-1] == Ended(reason)
    assert talk.did(do.Finish) == [do.Finish(None)]
    talk.tick(60.0)
    assert talk.sent == []


@pytest.mark.parametrize("how", ["silence", "cut"])
def test_a_session_that_an_older_hello_of_its_own_has_taken_over_comes_back_once(how: str) -> None:
    """The broker may read the hello of a connection that was given up after the one that followed it."""
    talk = Talk(patience=100.0)
    talk.connect()
    if how == "cut":
        talk.cut()
    else:
        for _ in range(30):
            talk.tick(1.0)
    assert talk.did(do.Reconnect)
    talk.sent.clear()
    talk.live()
    talk.reply({"type": "bye", "reason": "replaced"})
    assert talk.did(do.Reconnect)
    assert talk.did(do.Finish) == []
    talk.sent.clear()
    talk.live()
    talk.reply({"type": "bye", "reason": "replaced"})
    assert talk.did(do.Finish) == [do.Finish(None)], "by somebody else, then"


def test_a_planned_stop_is_told_and_its_last_acks_are_waited_for() -> None:
    talk = Talk(("dev",))
    talk.live()
    key = talk.post()
    talk.publish("broker/", {"type": "bye", "reason": "shutdown", "retry_after": 2.0})
    assert isinstance(talk.delivered[-1], m.BrokerBye)
    talk.reply({"type": "ack", "n": 1, "seq": 1})
    assert isinstance(talk.answers[key], m.Ack)
    talk.reply({"type": "bye", "reason": "shutdown"})
    assert [effect.retry_in for effect in talk.did(do.Reconnect)] == [2.0]


def test_what_waits_for_the_broker_does_not_keep_the_client_awake() -> None:
    talk = Talk(("dev",))
    talk.live(limits={"rate": 100})
    talk.cut()
    talk.post("wait for me")
    talk.ask(m.Ping())
    assert talk.session.wait(talk.now) == 1.0


def test_a_nick_taken_at_the_start_is_an_error_at_once() -> None:
    talk = Talk()
    talk.connect()
    talk.reply(error("nick_taken", ref=talk.asked("hello")["ref"]))
    assert [type(effect.error) for effect in talk.did(do.Finish)] == [NickTakenError]


def test_a_nick_taken_on_the_way_back_is_waited_for_and_then_an_error() -> None:
    talk = Talk()
    talk.live()
    talk.cut()
    for _ in range(20):
        talk.now += 3.0
        talk.connect()
        talk.reply(error("nick_taken", ref=talk.asked("hello")["ref"]))
        if ends := talk.did(do.Finish):
            break
        assert talk.did(do.Reconnect)
    assert isinstance(ends[0].error, NickTakenError)
    assert talk.now > 100.0 + 3 * 15.0


def test_another_nick_lets_one_in_at_once_when_the_old_one_is_taken_on_the_way_back() -> None:
    talk = Talk()
    talk.live()
    talk.cut()
    talk.connect()
    talk.reply(error("nick_taken", ref=talk.asked("hello")["ref"]))
    assert [type(event) for event in talk.delivered[-2:]] == [Offline, KeptOut]
    talk.did(do.Reconnect)
    talk.rename("carol")
    assert (talk.session.nick, talk.answers["carol"]) == ("carol", m.Renamed(nick="carol"))
    assert [effect.retry_in for effect in talk.did(do.Reconnect)] == [0.0]
    talk.connect()
    hello = talk.asked("hello")
    assert hello["nick"] == "carol"
    talk.reply(error("nick_taken", ref=hello["ref"]))
    assert sum(isinstance(event, KeptOut) for event in talk.delivered) == 2  # told anew: it is another nick


def test_a_nick_chosen_without_a_broker_that_is_taken_gives_way_to_the_one_before() -> None:
    talk = Talk()
    talk.live()
    talk.cut()
    talk.did(do.Reconnect)
    talk.rename("carol")
    talk.connect()
    talk.reply(error("nick_taken", ref=talk.asked("hello")["ref"]))
    assert isinstance(talk.delivered[-1], KeptOut)
    assert [effect.retry_in for effect in talk.did(do.Reconnect)] == [0.0]
    talk.connect()
    assert talk.asked("hello")["nick"] == "alice"


def test_without_a_broker_another_nick_is_asked_for_in_the_next_hello() -> None:
    talk = Talk()
    talk.live()
    talk.cut()
    talk.did(do.Reconnect)
    talk.rename("carol")
    assert talk.answers["carol"] == m.Renamed(nick="carol")
    assert talk.did(do.Reconnect) == []  # the broker is as far as before
    talk.connect()
    assert talk.asked("hello")["nick"] == "carol"


def test_a_nick_is_asked_for_at_once_while_the_broker_is_there_and_refused_to_an_observer() -> None:
    talk = Talk()
    talk.live()
    talk.rename("carol")
    assert talk.session.nick == "alice"
    talk.reply({"type": "renamed", "ref": talk.asked("nick")["ref"], "nick": "carol"})
    assert talk.session.nick == "carol"
    observer = Talk(nick=None)
    observer.live(nick=None)
    observer.cut()
    observer.rename("carol")
    assert (observer.session.nick, observer.answers) == (None, {})


@pytest.mark.parametrize("code", ["protocol_version", "bad_nick", "forbidden", "a_code_of_tomorrow"])
def test_a_hello_refused_for_good_ends_the_client(code: str) -> None:
    talk = Talk()
    talk.connect()
    talk.reply(error(code, ref=talk.asked("hello")["ref"]))
    (end,) = talk.did(do.Finish)
    assert isinstance(end.error, RefusedError)
    assert end.error.code == code


def test_who_was_another_member_here_comes_in_by_an_invitation_with_a_fresh_client_id() -> None:
    talk = Talk(invite="code")
    talk.connect()
    talk.reply(error("forbidden", ref=talk.asked("hello")["ref"]))
    assert talk.did(do.Rewrite)[0].client == "d" * 32
    hello = talk.asked("hello")
    assert (hello["client"], hello["invite"]) == ("d" * 32, "code")
    talk.reply(welcome(ref=hello["ref"], client="d" * 32))
    assert talk.session.online


@pytest.mark.parametrize("fields", [{}, {"limit": 64}])
def test_an_invitation_that_is_refused_again_and_again_or_for_a_limit_ends_the_client(fields: dict[str, int]) -> None:
    talk = Talk(invite="code")
    talk.connect()
    hellos = 0
    while hellos < 9 and any(line["type"] == "hello" for line in talk.sent):
        hellos += 1
        talk.reply(error("forbidden", ref=talk.asked("hello")["ref"], **fields))
    assert hellos == (1 if fields else 4)
    assert [end.error.code for end in talk.did(do.Finish)] == ["forbidden"]


def test_a_full_broker_is_tried_again_until_the_patience_ends() -> None:
    talk = Talk(patience=5.0)
    for _ in range(8):
        talk.connect()
        talk.reply(error("server_full", ref=talk.asked("hello")["ref"]))
        talk.tick(1.0)
        if ends := talk.did(do.Finish):
            break
    assert ends[0].error is not None
    assert ends[0].error.code == "server_full"


def test_nobody_there_is_unreachable_after_the_patience() -> None:
    talk = Talk(patience=5.0)
    talk.connect()
    talk.cut()
    talk.tick(4.9)
    assert talk.did(do.Finish) == []
    talk.tick(0.2)
    assert [type(effect.error) for effect in talk.did(do.Finish)] == [UnreachableError]


def test_a_feed_out_of_reach_is_unreachable_by_its_own_address() -> None:
    talk = Talk(("dev",), patience=5.0)
    talk.greet()
    for _ in range(6):
        talk.tick(1.0)
        talk.reply(pong())
    (end,) = talk.did(do.Finish)
    assert isinstance(end.error, UnreachableError)
    assert end.error.endpoint == "tcp://127.0.0.1:5556"


def test_without_reconnecting_a_loss_is_the_end() -> None:
    talk = Talk(reconnect=False)
    talk.live()
    talk.cut()
    assert [type(effect.error) for effect in talk.did(do.Finish)] == [UnreachableError]


def test_a_question_gets_the_answer_with_its_ref() -> None:
    talk = Talk()
    talk.live()
    talk.ask(m.ListRooms(), "one")
    talk.ask(m.AskStatus(), "two")
    first, second = talk.asked("rooms"), talk.asked("status")
    talk.reply(error("internal", ref=second["ref"]), {"type": "rooms", "ref": first["ref"], "rooms": []})
    assert isinstance(talk.answers["one"], m.Rooms)
    assert isinstance(talk.answers["two"], m.Error)


def test_a_question_without_an_answer_ends_with_none() -> None:
    talk = Talk()
    talk.live()
    talk.ask(m.ListRooms(), timeout=2.0)
    talk.tick(1.9)
    assert talk.answers == {}
    talk.tick(0.2)
    assert talk.answers == {"asked": None}


def test_a_deferred_question_is_asked_again_in_time() -> None:
    talk = Talk()
    talk.live()
    talk.ask(m.ListRooms())
    talk.reply(error("rate_limited", ref=talk.asked("rooms")["ref"], retry_after=1.0))
    talk.tick(0.5)
    assert "rooms" not in talk.types()
    talk.tick(0.6)
    assert "rooms" in talk.types()


def test_a_question_survives_a_reconnect() -> None:
    talk = Talk()
    talk.live()
    talk.ask(m.ListRooms())
    talk.cut()
    talk.greet()
    assert "rooms" in talk.types()


def test_of_the_questions_that_read_the_log_only_few_wait_at_the_broker() -> None:
    talk = Talk()
    talk.live()
    for number in range(40):
        talk.ask(m.AskHistory(room="dev", after=0), f"{number}")
    asked = [line for line in talk.sent if line["type"] == "history"]
    assert len(asked) == 16
    talk.sent.clear()
    talk.reply(history(asked[0], upto=0))
    assert talk.types() == ["history"]


@pytest.mark.parametrize("how", ["deferred", "interrupted"])
def test_as_many_questions_that_read_the_log_are_asked_again_as_were(how: str) -> None:
    talk = Talk()
    talk.live()
    for number in range(16):
        talk.ask(m.AskHistory(room="dev", after=0), f"{number}")
    if how == "deferred":
        asked = [line["ref"] for line in talk.sent]
        talk.sent.clear()
        talk.reply(*[error("rate_limited", ref=ref, retry_after=1.0) for ref in asked])
        talk.tick(1.1)
    else:
        talk.cut()
        talk.sent.clear()
        talk.greet()
    assert talk.types().count("history") == 16


def test_being_away_is_told_again_to_a_broker_that_has_forgotten_it() -> None:
    talk = Talk()
    talk.live()
    talk.ask(m.Away(text="lunch"))
    talk.reply({"type": "ok", "ref": talk.asked("away")["ref"]})
    talk.cut()
    talk.greet()
    assert talk.asked("away")["text"] == "lunch"


def test_a_new_nick_is_kept_over_a_reconnect() -> None:
    talk = Talk()
    talk.live()
    talk.ask(m.SetNick(nick="Al"))
    talk.reply({"type": "renamed", "ref": talk.asked("nick")["ref"], "nick": "Al"})
    assert talk.session.nick == "Al"
    talk.cut()
    talk.connect()
    assert talk.asked("hello")["nick"] == "Al"


def test_unknown_replies_are_ignored() -> None:
    talk = Talk()
    talk.live()
    talk.reply({"type": "fireworks", "colour": "red"}, error("a_code_of_tomorrow"), pong())
    assert talk.session.online


def test_closing_says_goodbye_and_nothing_after() -> None:
    talk = Talk()
    talk.live()
    talk.carry_out(talk.session.close("supper"))
    assert talk.asked("bye")["reason"] == "supper"
    talk.tick(30.0)
    assert talk.sent == []


WAITS = ("say", "question", "join", "nick", "part")  # what is done, or sent, once the broker is there
DROPPED = ("typing",)  # what is of no use later


@pytest.mark.parametrize("what", [*WAITS, *DROPPED])
@pytest.mark.parametrize("phase", ["offline", "greeting", "online"])
def test_each_thing_that_one_can_do_waits_for_the_broker_or_is_dropped_in_every_phase(what: str, phase: str) -> None:
    does: dict[str, Callable[[Talk], None]] = {
        "say": lambda talk: talk.session.post(m.Say(n=1, room="dev", text="hi"), "say"),
        "question": lambda talk: talk.ask(m.ListRooms()),
        "join": lambda talk: talk.join("ops"),
        "nick": lambda talk: talk.rename("carol"),
        "part": lambda talk: talk.carry_out(talk.session.part("dev", None, "part", talk.now, 5.0)),
        "typing": lambda talk: talk.carry_out(talk.session.tell(m.Typing(room="dev"), talk.now)),
    }
    lines = {"say": "say", "question": "rooms", "join": "join", "nick": "nick", "part": "part", "typing": "typing"}
    talk = Talk(("dev",))
    talk.live()
    hello: dict[str, Any] = {}
    if phase != "online":
        talk.cut()
    if phase == "greeting":
        talk.connect()
        hello = talk.asked("hello")
    does[what](talk)
    if phase == "offline":
        talk.connect()
        hello = talk.asked("hello")
    if hello:
        assert None not in talk.answers.values(), "nothing is refused before the broker was there"
        talk.reply(welcome(ref=hello["ref"], nick=hello["nick"]))
        talk.prove()
    else:
        talk.tick(0.0)
    sent = [line for line in talk.sent if line["type"] == lines[what]]
    if what == "join":
        sent = [line for line in sent if line["room"] == "ops"]
    if what == "nick" and phase == "offline":
        assert (hello["nick"], sent) == ("carol", [])
    else:
        assert len(sent) == (what in WAITS or phase == "online")


def test_a_nick_chosen_while_a_hello_was_on_its_way_is_told_when_it_is_taken() -> None:
    talk = Talk()
    talk.live()
    talk.cut()
    talk.connect()
    hello = talk.asked("hello")
    talk.rename("carol")
    assert talk.answers["carol"] == m.Renamed(nick="carol")
    talk.reply(welcome(ref=hello["ref"], nick="alice"))
    assert talk.session.nick == "alice"
    talk.reply(error("nick_taken", ref=talk.asked("nick")["ref"]))
    assert [event.nick for event in talk.delivered if isinstance(event, NickRefused)] == ["carol"]
    assert talk.session.nick == "alice"


def test_a_nick_chosen_while_a_hello_was_on_its_way_is_tried_when_the_one_before_is_refused() -> None:
    talk = Talk()
    talk.live()
    talk.cut()
    talk.connect()
    hello = talk.asked("hello")
    talk.rename("carol")
    talk.reply(error("nick_taken", ref=hello["ref"]))
    talk.connect()
    assert talk.asked("hello")["nick"] == "carol"


def test_a_client_that_is_a_bot_from_now_on_greets_the_broker_anew_and_nobody_is_told_of_a_loss() -> None:
    talk = Talk(("dev",))
    talk.live()
    talk.post("on its way")
    talk.delivered.clear()
    talk.carry_out(talk.session.be_bot(True, talk.now))
    hello = talk.asked("hello")
    assert (hello["bot"], hello["resume"]) == (True, "token")
    assert talk.asked("say")["text"] == "on its way", "it was sent before"
    talk.carry_out(talk.session.be_bot(True, talk.now))
    assert "hello" not in talk.types()
    talk.reply(welcome(ref=hello["ref"]))
    assert [(type(each), each.moved) for each in talk.delivered if isinstance(each, Online)] == [(Online, True)]
    assert not [each for each in talk.delivered if isinstance(each, Offline)]
    assert talk.asked("say")["text"] == "on its way", "and is sent again, since it may not have been read"
    talk.prove()
    assert talk.asked("join")["room"] == "dev"
    talk.cut()
    talk.carry_out(talk.session.be_bot(False, talk.now))
    assert "hello" not in talk.types(), "there is no connection: the next hello tells it"
    talk.connect()
    assert not talk.asked("hello").get("bot")


def test_a_broker_that_does_not_answer_a_client_that_has_changed_is_lost() -> None:
    talk = Talk()
    talk.live()
    talk.delivered.clear()
    talk.carry_out(talk.session.be_bot(True, talk.now))
    for _ in range(7):
        talk.tick(1.0)
    assert [type(each) for each in talk.delivered if isinstance(each, Offline | Online)] == [Offline]
