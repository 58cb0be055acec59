"""The table of a connection's phases: it decides everything, and a session keeps to it."""

from collections.abc import Callable

import pytest

from tests.client.script import Json, Talk, error, welcome
from zchat.client.core.phases import TABLE, Event, Phase, next_phase

EVERYTHING = [(phase, event) for phase in Phase for event in Event]


def test_the_table_decides_every_event_in_every_phase() -> None:
    assert set(TABLE) == set(Event)
    assert all(set(row) == set(Phase) for row in TABLE.values())


def test_every_phase_can_be_reached_and_only_the_last_one_has_no_way_out() -> None:
    for phase in Phase:
        assert any(next_phase(other, event) is phase for other, event in EVERYTHING)
        ways_out = {next_phase(phase, event) for event in Event} - {None, phase}
        assert bool(ways_out) == (phase is not Phase.CLOSED)


def test_only_a_welcome_leads_online() -> None:
    assert [pair for pair in EVERYTHING if next_phase(*pair) is Phase.ONLINE] == [(Phase.GREETING, Event.WELCOMED)]


# -- a session keeps to it: how it comes into each phase, and how each event happens to it


def wait(seconds: int) -> Callable[[Talk], None]:
    def ticks(talk: Talk) -> None:
        for _ in range(seconds):
            talk.tick(1.0)

    return ticks


def says(line: Json) -> Callable[[Talk], None]:
    return lambda talk: talk.reply(line)


def be_offline(talk: Talk) -> None:
    talk.connect()
    talk.cut()


def be_online(talk: Talk) -> None:
    """Be welcome after a first hello that the broker may read later."""
    be_offline(talk)
    talk.sent.clear()
    talk.greet()


def be_closed(talk: Talk) -> None:
    talk.carry_out(talk.session.close())


def refuse_hello(talk: Talk) -> None:
    hellos = [line["ref"] for line in talk.sent if line["type"] == "hello"]
    talk.reply(error("server_full", ref=max(hellos, default=1)))


def forget_later(talk: Talk) -> None:
    talk.tick(0.5)
    talk.reply(error("no_session"))


PHASES: dict[Phase, Callable[[Talk], None]] = {
    Phase.OFFLINE: be_offline,
    Phase.GREETING: Talk.connect,
    Phase.ONLINE: be_online,
    Phase.CLOSED: be_closed,
}
HAPPENS: dict[Event, Callable[[Talk], None]] = {
    Event.OPENED: Talk.connect,
    Event.CUT: Talk.cut,
    Event.WELCOMED: says(welcome()),
    Event.NUMBERS_UNKNOWN: says(welcome(n=7)),
    Event.HELLO_REFUSED: refuse_hello,
    Event.HELLO_UNANSWERED: wait(6),
    Event.FORGOTTEN: forget_later,
    Event.FORGOTTEN_AT_ONCE: says(error("no_session")),
    Event.OUT_OF_STEP: says(error("out_of_order", expected=9)),
    Event.SILENT: wait(16),
    Event.STOPPED: says({"type": "bye", "reason": "shutdown"}),
    Event.CHANGED: lambda talk: talk.carry_out(talk.session.be_bot(True, talk.now)),
    Event.SUPPLANTED: says({"type": "bye", "reason": "replaced"}),
    Event.ENDED: says({"type": "bye", "reason": "kick"}),
    Event.FAILED: lambda talk: talk.tick(PATIENCE + 1.0),
    Event.LEFT: be_closed,
}
PATIENCE = 60.0  # until a session that is not in its room fails
SAME = {(Phase.GREETING, Event.SILENT)}  # what looks like another event: a hello that is not answered


@pytest.mark.parametrize(("phase", "event"), [pair for pair in EVERYTHING if pair not in SAME], ids=str)
def test_a_session_goes_where_the_table_says(phase: Phase, event: Event) -> None:
    talk = Talk(("dev",), patience=PATIENCE)
    PHASES[phase](talk)
    assert talk.session._connection.phase is phase
    HAPPENS[event](talk)
    assert talk.session._connection.phase is (next_phase(phase, event) or phase)
    assert talk.session.online == (talk.session._connection.phase is Phase.ONLINE)
