"""Numbered commands: each is answered once, whatever is deferred, refused, lost or forgotten; and the rate limit."""

import pytest

from tests.client.script import CLIENT, Talk, ack, error, pong, welcome
from zchat.client.core import effects as do
from zchat.client.core import notices
from zchat.client.core.notices import Deferred
from zchat.client.core.token_bucket import TokenBucket
from zchat.protocol import messages as m


def live(**fields: object) -> Talk:
    talk = Talk(**fields)  # type: ignore[arg-type]
    talk.live()
    return talk


def test_commands_are_numbered_from_one_and_kept_before_they_are_sent() -> None:
    talk = live()
    talk.session.post(m.Say(n=1, room="dev", text="a"), "a")
    talk.session.post(m.SetTopic(n=1, room="dev", text="b"), "b")
    effects = talk.session.flush(talk.now)
    assert [type(effect) for effect in effects] == [do.Keep, do.Send]
    talk.carry_out(effects)
    assert talk.asked("say")["n"] == 1
    assert talk.asked("topic")["n"] == 2


def test_an_ack_answers_and_settles() -> None:
    talk = live()
    talk.post("a")
    talk.reply(ack(1, seq=7))
    assert talk.answers == {"a": m.Ack(n=1, seq=7)}
    assert talk.did(do.Settle) == [do.Settle(1)]
    assert talk.session.unanswered == 0


@pytest.mark.parametrize("code", ["bad_text", "too_long", "bad_room", "unknown_nick", "forbidden"])
def test_a_refusal_that_takes_the_number_lets_the_others_go_on(code: str) -> None:
    talk = live()
    talk.post("a")
    talk.post("b")
    talk.numbers()
    talk.reply(error(code, n=1), ack(2))
    assert isinstance(talk.answers["a"], m.Error)
    assert isinstance(talk.answers["b"], m.Ack)
    assert talk.numbers() == []


def test_what_is_deferred_goes_back_once_however_many_echoes_come() -> None:
    talk = live()
    for text in "abcde":
        talk.post(text)
    assert talk.numbers() == [1, 2, 3, 4, 5]
    late = [error("out_of_order", n=n, expected=2) for n in (3, 4, 5)]
    talk.reply(ack(1), error("rate_limited", n=2, retry_after=1.0), *late)
    assert talk.numbers() == []
    talk.tick(0.5)
    assert talk.numbers() == [], "it was asked for a second"
    talk.tick(0.6)
    assert talk.numbers() == [2, 3, 4, 5]
    talk.reply(ack(2), ack(3), ack(4), ack(5))
    assert talk.session.unanswered == 0
    assert talk.numbers() == []


def test_going_back_happens_once_for_each_gap() -> None:
    talk = live()
    for text in "abcd":
        talk.post(text)
    talk.numbers()
    talk.reply(ack(1), *[error("out_of_order", n=n, expected=2) for n in (3, 4)])
    assert talk.numbers() == [2, 3, 4]
    talk.reply(*[error("out_of_order", n=n, expected=2) for n in (4,)])
    assert talk.numbers() == []
    talk.reply(ack(2), error("out_of_order", n=4, expected=3))
    assert talk.numbers() == [3, 4]


def test_echoes_of_a_first_flight_do_not_send_a_second_one_again() -> None:
    talk = live()
    for text in "abcd":
        talk.post(text)
    talk.numbers()
    talk.reply(error("unavailable", n=1, retry_after=0.5))
    talk.tick(0.6)
    assert talk.numbers() == [1, 2, 3, 4]
    talk.reply(*[error("unavailable", n=n, retry_after=0.5) for n in (2, 3, 4)])
    talk.tick(0.6)
    assert talk.numbers() == []
    talk.reply(*[ack(n) for n in (1, 2, 3, 4)])
    assert talk.session.unanswered == 0


def test_after_a_reconnect_all_that_is_unanswered_is_sent_again_in_order() -> None:
    talk = live()
    for text in "abc":
        talk.post(text)
    talk.reply(ack(1))
    talk.cut()
    talk.sent.clear()
    talk.post("d")
    talk.greet(n=2)
    assert talk.numbers() == [2, 3, 4], "also what was committed: its ack has not been seen"
    talk.reply(ack(2), ack(3), ack(4))
    assert set(talk.answers) == {"a", "b", "c", "d"}


@pytest.mark.parametrize("taken", [0, 9])
def test_a_log_that_knows_other_numbers_gets_a_fresh_client_and_all_from_one(taken: int) -> None:
    talk = live()
    for text in "ab":
        talk.post(text)
    talk.reply(ack(1))
    talk.cut()
    talk.sent.clear()
    talk.greet(n=taken, log="b" * 32)
    assert talk.did(do.Rewrite)[0].client == "d" * 32
    assert [line["type"] for line in talk.sent] == ["bye", "hello"]
    hello = talk.asked("hello")
    assert hello["client"] == "d" * 32
    assert "resume" not in hello
    talk.reply(welcome(ref=hello["ref"], client="d" * 32, log="b" * 32))
    assert talk.asked("say") == {"type": "say", "n": 1, "room": "dev", "text": "b"}
    talk.reply(ack(1, seq=1))
    assert talk.answers["b"] == m.Ack(n=1, seq=1)


def test_the_broker_losing_its_place_leads_through_a_new_hello() -> None:
    talk = live()
    for text in "ab":
        talk.post(text)
    talk.reply(ack(1))
    talk.reply(error("out_of_order", n=2, expected=1))
    assert talk.did(do.Reconnect) == [do.Reconnect("it has lost our place", 0.0)]


def test_a_broker_that_loses_its_place_again_and_again_is_not_asked_at_once() -> None:
    talk = live()
    talk.post("a")
    waits = []
    for _ in range(6):
        talk.reply(error("out_of_order", n=1, expected=77))
        waits += [effect.retry_in for effect in talk.did(do.Reconnect)]
        talk.tick(waits[-1])
        talk.live()
    assert waits[0] == 0.0
    assert 0.0 < waits[1] < waits[-1]


def test_an_unforeseen_refusal_that_took_no_number_closes_ranks() -> None:
    talk = live()
    for text in "abc":
        talk.post(text)
    talk.numbers()
    talk.reply(error("bad_command", n=1), *[error("out_of_order", n=n, expected=1) for n in (2, 3)])
    assert isinstance(talk.answers["a"], m.Error)
    ping = talk.asked("ping")
    talk.post("d")
    assert talk.numbers() == [], "nothing more until the place is known"
    talk.reply(pong(n=0, ref=ping["ref"]))
    assert [(line["n"], line["text"]) for line in talk.sent] == [(1, "b"), (2, "c"), (3, "d")]
    assert [line.count(b'"n":') for line in talk.did(do.Rewrite)[0].lines] == [1, 1, 1]
    talk.reply(ack(1), ack(2), ack(3))
    assert [answer.n for answer in talk.answers.values()][1:] == [1, 2, 3]  # type: ignore[union-attr]


def test_an_unforeseen_refusal_that_took_its_number_changes_no_other() -> None:
    talk = live()
    for text in "ab":
        talk.post(text)
    talk.numbers()
    talk.reply(error("a_code_of_tomorrow", n=1), error("unavailable", n=2, retry_after=0.0))
    talk.reply(pong(n=1, ref=talk.asked("ping")["ref"]))
    talk.tick(0.1)
    assert talk.numbers() == [2]
    talk.reply(ack(2))
    assert talk.session.unanswered == 0


def test_a_pong_that_comes_before_earlier_replies_does_not_settle_what_is_in_doubt() -> None:
    talk = live()
    for text in "ab":
        talk.post(text)
    talk.numbers()
    talk.reply(error("a_code_of_tomorrow", n=1))
    talk.reply(pong(n=0, ref=talk.asked("ping")["ref"]))
    talk.tick(0.1)
    assert talk.numbers() == [], "the second line is on its way under its number"
    talk.reply(ack(2))
    talk.tick(0.2)
    talk.reply(pong(n=2, ref=talk.asked("ping")["ref"]))
    assert (talk.session.unanswered, talk.numbers()) == (0, [])
    assert isinstance(talk.answers["b"], m.Ack)


def test_answers_that_never_come_are_asked_for_again() -> None:
    talk = live()
    talk.post("a")
    talk.numbers()
    for _ in range(8):
        talk.tick(4.0)
        talk.reply(pong())
    assert 1 in talk.numbers()


def test_no_more_than_a_window_is_in_flight() -> None:
    talk = live()
    for number in range(1_500):
        talk.session.post(m.Say(n=1, room="dev", text="x"), number)
    talk.carry_out(talk.session.flush(talk.now))
    assert len(talk.numbers()) == 1_000
    talk.reply(*[ack(n) for n in range(1, 11)])
    assert talk.numbers() == list(range(1_001, 1_011))


def test_frames_keep_to_the_brokers_limits() -> None:
    talk = Talk()
    talk.live(limits={"frame": 1_000, "lines": 20})
    for number in range(100):
        talk.session.post(m.Say(n=1, room="dev", text="x" * (number % 90)), number)
    frames = [
        frame for effect in talk.session.flush(talk.now) if isinstance(effect, do.Send) for frame in effect.frames
    ]
    assert max(len(frame) for frame in frames) <= 1_000
    assert max(frame.count(b"\n") + 1 for frame in frames) <= 20
    assert sum(frame.count(b"\n") + 1 for frame in frames) == 100


def test_text_that_is_no_unicode_leaves_no_gap_in_the_numbers() -> None:
    talk = live()
    with pytest.raises(UnicodeEncodeError):
        talk.session.post(m.Say(n=1, room="dev", text="\ud800"), "broken")
    talk.post("a")
    assert talk.numbers() == [1]


def test_what_a_former_process_left_is_sent_first() -> None:
    left = [m.Say(n=n, room="dev", text=f"old {n}") for n in (4, 5)]
    talk = Talk(n=3, unanswered=left)
    talk.connect()
    hello = talk.asked("hello")
    assert hello["client"] == CLIENT
    talk.reply(welcome(ref=hello["ref"], n=4))
    talk.post("new")
    assert talk.numbers() == [4, 5, 6]


def test_a_refusal_of_what_a_former_process_left_is_told_though_nobody_waits_for_it() -> None:
    left = [m.Say(n=n, room="dev", text=f"old {n}") for n in (1, 2)]
    talk = Talk(unanswered=left)
    talk.connect()
    talk.reply(welcome(ref=talk.asked("hello")["ref"]))
    talk.numbers()
    talk.reply(error("unknown_nick", n=1), error("a_code_of_tomorrow", n=2))
    told = [(event.what, event.code) for event in talk.delivered if isinstance(event, notices.Refused)]
    assert told == [("old 1", "unknown_nick"), ("old 2", "a_code_of_tomorrow")]


def test_the_rate_keeps_below_the_brokers_rate_and_pings_go_first() -> None:
    talk = Talk()
    talk.live(limits={"rate": 10})
    for number in range(1_000):
        talk.session.post(m.Say(n=1, room="dev", text="x"), number)
    talk.carry_out(talk.session.flush(talk.now))
    burst = len(talk.numbers())
    assert 10 <= burst < 20
    sent = pings = 0
    for _ in range(110):
        talk.tick(0.1)
        pings += sum(line["type"] == "ping" for line in talk.sent)
        sent += len(talk.sent)
        talk.reply(*[ack(n) for n in talk.numbers()])
    assert 85 <= burst + sent <= 10 * 11 + 20
    assert pings >= 2


def test_a_paced_session_says_when_it_wants_to_go_on() -> None:
    talk = Talk()
    talk.live(limits={"rate": 10})
    for number in range(100):
        talk.session.post(m.Say(n=1, room="dev", text="x"), number)
    talk.carry_out(talk.session.flush(talk.now))
    assert 0 < talk.session.wait(talk.now) < 0.2


def test_a_rate_of_zero_has_no_bound() -> None:
    bucket = TokenBucket()
    bucket.set(0.0, 1.0)
    bucket.spend(1_000_000)
    assert bucket.allowance(1.0, 2_000) == 2_000
    assert bucket.wait() == 0.0


@pytest.mark.parametrize("rate", [-1e308, -1.0, 1e308])
def test_a_rate_that_is_none_has_no_bound(rate: float) -> None:
    bucket = TokenBucket()
    bucket.set(rate, 1.0)
    assert bucket.allowance(1.0, 2_000) == 2_000
    assert bucket.wait() == 0.0


def test_a_rate_below_one_line_a_second_still_lets_a_line_pass() -> None:
    bucket = TokenBucket()
    bucket.set(0.1, 0.0)
    assert bucket.allowance(0.0, 10) == 1
    bucket.spend(1)
    assert bucket.allowance(1.0, 10) == 0
    assert bucket.allowance(1.0 + bucket.wait() + 0.01, 10) == 1


def test_what_the_broker_cannot_store_is_told_once_until_it_can() -> None:
    talk = Talk()
    talk.live()
    for n in (1, 2, 3):
        talk.post(f"{n}")
    talk.reply(*[error("unavailable", n=n, retry_after=0.5) for n in (1, 2, 3)])
    talk.tick(0.6)
    talk.reply(*[error("unavailable", n=n, retry_after=0.5) for n in (1, 2, 3)])
    assert [event for event in talk.delivered if isinstance(event, Deferred)] == [Deferred("no")]
    assert talk.session.deferred == "no"
    talk.tick(0.6)
    talk.reply(ack(1))
    assert talk.session.deferred is None
    talk.reply(error("unavailable", n=2, retry_after=0.5))
    assert sum(isinstance(event, Deferred) for event in talk.delivered) == 2
    talk.tick(0.6)
    talk.reply(error("too_long", n=2))
    assert talk.session.deferred is None
