"""A client of several brokers that share a log: a dialogue with whichever it is at."""

from itertools import chain, repeat

import pytest

from tests.client.script import Talk, error, history, joined, message, pong, welcome
from zchat.client.core import effects as do
from zchat.client.core.brokers import Brokers
from zchat.client.core.connection import QUIET, SHARED_HELLO_WAIT
from zchat.client.core.handshake import Fault
from zchat.client.core.notices import Flowing, KeptOut, Offline, Online, Stalled
from zchat.errors import KeyRefusedError, TimedOutError, UnreachableError
from zchat.protocol import links
from zchat.protocol import messages as m

A, B, C = (f"tcp://10.0.0.{number}:5555" for number in (1, 2, 3))
KEY = bytes(range(32))


def brokers(*endpoints: str) -> Brokers:
    """Return brokers in the order given; from then on chance says 0.5."""
    chances = chain([0.0] * len(endpoints), repeat(0.5))
    return Brokers(endpoints, lambda: next(chances))


def at_several(rooms: tuple[str, ...] = ()) -> Talk:
    talk = Talk(rooms, brokers=brokers(A, B, C))
    talk.live()
    assert talk.session.endpoint == A
    talk.delivered.clear()
    return talk


def waits(talk: Talk) -> list[float]:
    return [effect.retry_in for effect in talk.did(do.Reconnect)]


def test_brokers_are_tried_in_turn_and_only_full_rounds_take_longer() -> None:
    some, waited, tried = brokers(A, B, C), [], []
    for _ in range(9):
        waited.append(some.back_off(known=True))
        some.turn()
        tried.append(some.current)
    assert tried == [B, C, A] * 3
    assert waited == pytest.approx([0.1] * 3 + [0.2] * 3 + [0.4] * 3)


def test_who_wants_to_be_left_alone_is_once_all_were_tried() -> None:
    some = brokers(A, B)
    assert [some.back_off(known=True, at_least=8.0) for _ in range(2)] == pytest.approx([0.1, 8.0])


def test_each_client_has_an_order_of_its_own() -> None:
    chances = iter([0.99, 0.5, 0.0])
    assert Brokers((A, B, C), lambda: next(chances)).current == C
    firsts = [Brokers((A, B, C), lambda chance=chance: chance / 30).current for chance in range(30)]  # type: ignore[misc]
    assert {place: firsts.count(place) for place in (A, B, C)} == {A: 10, B: 10, C: 10}


def test_others_are_learned_by_their_key_and_remembered() -> None:
    some = Brokers((A,), lambda: 0.0, key=KEY)
    own, all_ = (links.BrokerLink(links.parse_hosts(hosts), KEY).text for hosts in ("10.0.0.1", "10.0.0.1,10.0.0.2"))
    assert not some.learn([own]), "one place is this broker"
    assert (some.kept, some.several) == ((), False)
    assert some.learn([own, all_])
    assert (some.kept, some.several) == ((A, B), True)
    assert not some.learn([all_]), "no news"
    some.turn()
    assert some.current == B


def test_a_lost_broker_is_left_for_the_next_one_without_a_word() -> None:
    talk = at_several(("dev",))
    talk.feed("dev", message(1))
    key = talk.post("on its way")
    talk.sent.clear()
    talk.cut()
    assert waits(talk) == pytest.approx([0.1])
    assert (talk.session.endpoint, talk.session.moving) == (B, True)
    talk.connect()
    hello = talk.asked("hello")
    assert hello["client"] == "c" * 32
    talk.reply(welcome(ref=hello["ref"], session="another", id="5e55", n=0))
    assert talk.asked("say")["text"] == "on its way"
    talk.prove()
    join = talk.asked("join")
    assert join["after"] == 1
    talk.reply(joined(join, head=3, rev=1), history(join, message(2, prev=1), message(3, prev=2), upto=3))
    (online,) = [event for event in talk.delivered if isinstance(event, Online)]
    assert (online.again, online.moved, online.shared) == (True, True, None)
    assert not [event for event in talk.delivered if isinstance(event, Offline)]
    assert talk.seqs() == [1, 2, 3]
    talk.reply({"type": "ack", "n": 1, "seq": 4})
    assert isinstance(talk.answers[key], m.Ack)
    talk.tick(QUIET + 1.0)
    assert (talk.session.endpoint, talk.session.moving) == (B, False)
    assert not [event for event in talk.delivered if isinstance(event, Offline)], "nor later"


def test_the_roster_is_that_of_the_broker_one_is_at_whatever_its_revision() -> None:
    talk = Talk(("dev",), brokers=brokers(A, B))
    talk.live(rev=90)
    talk.cut()
    talk.greet()
    talk.prove()
    bob = {"nick": "bob", "from": "b" * 16, "bot": False, "away": None, "idle": 0}
    talk.reply(joined(talk.asked("join"), rev=2, members=[bob]))
    room = talk.session.rooms["dev"]
    assert (room.rev, list(room.members)) == (2, ["bob"])
    talk.feed("dev", {"type": "left", "room": "dev", "rev": 3, "nick": "bob", "reason": "bye"})
    assert not room.members


def test_a_loss_that_lasts_is_told() -> None:
    talk = at_several()
    talk.cut()
    while talk.now < 100.0 + QUIET:
        assert talk.delivered == []
        talk.tick(0.5)
    assert [type(event) for event in talk.delivered] == [Offline]
    assert not talk.session.moving
    talk.greet()
    assert [event.moved for event in talk.delivered if isinstance(event, Online)] == [False]


def test_who_is_at_one_broker_is_told_at_once() -> None:
    talk = Talk()
    talk.live()
    talk.cut()
    assert isinstance(talk.delivered[-1], Offline)


def test_a_planned_stop_is_followed_by_a_move_at_once() -> None:
    talk = at_several()
    talk.publish("broker/", {"type": "bye", "reason": "shutdown", "retry_after": 5.0})
    talk.reply({"type": "bye", "reason": "shutdown"})
    assert waits(talk) == pytest.approx([0.1])
    assert (talk.session.endpoint, talk.delivered) == (B, [])


def test_one_of_several_brokers_is_given_up_after_two_heartbeats() -> None:
    talk = at_several()
    for _ in range(3):
        talk.tick(5.0)
    assert talk.session.endpoint == B


def test_a_place_that_swallows_everything_is_left_soon_and_one_that_is_there_may_take_its_time() -> None:
    talk = at_several()
    talk.cut()
    talk.connect()
    talk.tick(1.0)
    assert talk.session.endpoint == C
    talk.connect()
    talk.carry_out(talk.session.reached(talk.now))
    for _ in range(4):
        talk.tick(SHARED_HELLO_WAIT / 4 - 0.1)
    assert talk.session.endpoint == C
    talk.tick(0.5)
    assert talk.session.endpoint == A


def test_one_that_has_no_time_for_us_is_left_for_the_next_and_all_of_them_for_as_long_as_they_say() -> None:
    talk = at_several()
    talk.cut()
    talk.did(do.Reconnect)
    for _ in range(3):
        talk.connect()
        talk.reply(error("unavailable", ref=talk.asked("hello")["ref"], retry_after=8.0))
    assert waits(talk) == pytest.approx([0.1, 8.0, 0.1])
    assert talk.delivered == []
    talk.tick(QUIET)
    talk.connect()
    talk.reply(error("unavailable", ref=talk.asked("hello")["ref"], retry_after=8.0))
    assert [type(event) for event in talk.delivered] == [Offline, KeptOut]


@pytest.mark.parametrize(("reached", "why"), [(True, TimedOutError), (False, UnreachableError)])
def test_who_is_not_let_in_in_time_is_told_whether_a_broker_is_there(reached: bool, why: type) -> None:
    talk = Talk(brokers=brokers(A, B), patience=2.0)
    talk.connect()
    talk.now += 1.5
    talk.cut()
    talk.connect()
    if reached:
        talk.carry_out(talk.session.reached(talk.now))
    talk.tick(0.6)
    assert [type(effect.error) for effect in talk.did(do.Finish)] == [why]


def test_hellos_that_were_given_up_may_take_the_session_over_as_often_as_there_were_any() -> None:
    """What the brokers share may store a hello late: that of one broker ends the session at the other then."""
    talk = at_several()
    talk.cut()
    for _ in range(2):
        talk.connect()
        talk.reply(error("unavailable", ref=talk.asked("hello")["ref"]))
    for _ in range(2):
        talk.live()
        talk.reply({"type": "bye", "reason": "replaced"})
        assert (talk.did(do.Finish), len(waits(talk)) > 0) == ([], True)
    talk.live()
    talk.reply({"type": "bye", "reason": "replaced"})
    assert talk.did(do.Finish) == [do.Finish(None)], "by somebody else, then"


def test_a_hello_that_was_given_up_long_ago_takes_nothing_over() -> None:
    talk = at_several()
    talk.cut()
    talk.connect()
    talk.reply(error("unavailable", ref=talk.asked("hello")["ref"]))
    talk.live()
    for _ in range(8):
        talk.tick(4.0)
        talk.reply(pong())
    talk.reply({"type": "bye", "reason": "replaced"})
    assert talk.did(do.Finish) == [do.Finish(None)]


def test_a_broker_that_has_ended_our_session_and_lets_nobody_in_is_left_quietly() -> None:
    """The others have given it up: it has no part in the cluster for a while."""
    talk = at_several()
    talk.tick(1.0)
    talk.reply({"type": "bye", "reason": "timeout"})
    talk.reply(error("unavailable", ref=talk.asked("hello")["ref"]))
    assert talk.session.endpoint == B
    talk.live()
    assert [getattr(event, "moved", None) for event in talk.delivered] == [True]


def test_a_key_is_refused_when_all_brokers_say_so() -> None:
    talk = Talk(brokers=brokers(A, B))
    talk.connect()
    talk.carry_out(talk.session.lost(talk.now, Fault.KEY_REFUSED))
    assert talk.did(do.Finish) == []
    talk.connect()
    talk.carry_out(talk.session.lost(talk.now, Fault.KEY_REFUSED))
    assert [type(effect.error) for effect in talk.did(do.Finish)] == [KeyRefusedError]


def test_a_stall_is_told_once_and_its_end_too() -> None:
    talk = at_several(("dev",))
    for _ in range(2):
        talk.publish("broker/", {"type": "stalled", "since": "2026-11-30T02:00:00.000Z", "reason": "no leader"})
    talk.reply(pong())
    assert (talk.delivered, talk.session.stalled) == ([Stalled("no leader")], "no leader")
    talk.publish("broker/", {"type": "flowing"})
    talk.reply(pong(stalled="no leader"))
    assert (talk.delivered[1:], talk.session.stalled) == ([Flowing()], None)


def test_a_stall_of_which_the_feed_says_nothing_more_is_over_when_a_pong_says_so() -> None:
    talk = at_several(("dev",))
    talk.publish("broker/", {"type": "stalled", "since": "2026-11-30T02:00:00.000Z", "reason": "no leader"})
    for _ in range(3):
        talk.tick(4.0)
        talk.reply(pong())
    assert talk.delivered == [Stalled("no leader"), Flowing()]
    talk.reply(pong(stalled="no leader"))
    assert talk.session.stalled is None, "it is an old one: the feed would say so"


def test_who_hears_no_feed_learns_of_a_stall_by_pongs() -> None:
    talk = at_several()
    talk.reply(pong(stalled="no leader"))
    talk.reply(pong())
    assert talk.delivered == [Stalled("no leader"), Flowing()]


def test_a_welcome_tells_of_a_stall() -> None:
    talk = at_several()
    talk.cut()
    talk.greet(stalled="no leader")
    assert talk.session.stalled == "no leader"
    talk.cut()
    talk.greet()
    assert talk.session.stalled is None
