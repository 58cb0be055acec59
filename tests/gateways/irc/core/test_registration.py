"""Registration and capabilities, without sockets."""

import base64

import pytest

from zchat.gateways.irc.core.caps import Caps
from zchat.gateways.irc.core.lines import Line, parse
from zchat.gateways.irc.core.registration import Enter, Leave, Prove, Registration, Step
from zchat.gateways.irc.core.sasl import Proof, Sasl


def begin(*, tls: bool = False) -> Registration:
    return Registration(Caps(tls), Sasl(("PLAIN", "EXTERNAL") if tls else ("PLAIN",)))


def send(state: Registration, *lines: str) -> list[Step]:
    return [step for each in lines for step in state.receive(parse(each.encode()))]


def shown(steps: list[Step]) -> list[str]:
    return [step.format() for step in steps if isinstance(step, Line)]


def plain(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_a_nick_and_a_user_in_any_order_are_enough() -> None:
    assert send(begin(), "NICK alice", "USER a 0 * :Alice") == [Enter()]
    assert send(begin(), "USER a 0 * :Alice", "NICK alice") == [Enter()]
    state = begin()
    assert send(state, "NICK alice") == []
    assert shown(send(state, "JOIN #dev", "USER a")) == [
        ":irc.zchat 451 alice :You have not registered", ":irc.zchat 461 alice USER :Not enough parameters",
    ]  # fmt: skip
    assert shown(send(begin(), "NICK", "NICK :")) == [":irc.zchat 431 * :No nickname given"] * 2


def test_a_negotiation_holds_registration_until_its_end() -> None:
    state = begin()
    found = shown(send(state, "CAP LS 302", "NICK alice", "USER a 0 * :A"))
    assert found[0].startswith(":irc.zchat CAP * LS :message-tags ")
    assert "sasl=PLAIN " in found[0]
    assert "draft/multiline=max-bytes=" in found[0]
    assert shown(send(state, "CAP REQ :server-time nonsense")) == [":irc.zchat CAP alice NAK :server-time nonsense"]
    assert shown(send(state, "CAP REQ :server-time batch")) == [":irc.zchat CAP alice ACK :server-time batch"]
    assert shown(send(state, "CAP REQ :-batch")) == [":irc.zchat CAP alice ACK -batch"]
    assert state.caps.have == {"server-time", "cap-notify"}
    assert shown(send(state, "CAP FROB")) == [":irc.zchat 410 alice FROB :There is no such CAP command"]
    assert send(state, "CAP END") == [Enter()]
    assert "=" not in shown(send(begin(), "CAP LS"))[0].replace("multiline=", "")  # before 302 there are no values


def test_a_password_is_proved_before_one_comes_in() -> None:
    state = begin()
    asked = send(state, "PASS s3cret", "NICK alice", "USER a 0 * :A")
    assert asked == [Prove(Proof("alice", "s3cret"), sasl=False)]
    proving = asked[0]
    assert isinstance(proving, Prove)
    assert send(state, "PONG x") == [], "it is asked once"
    assert [type(step) for step in state.refused("wrong", proving)] == [Line, Leave]
    state.logged_in = False
    assert Enter() in state.proved("alice", "alice!member@01", proving)


def test_a_proof_waits_for_a_nick_that_can_be_had() -> None:
    for begun in (
        ("PASS code",),
        ("CAP REQ :sasl", "AUTHENTICATE PLAIN", f"AUTHENTICATE {plain(chr(0) + 'x' + chr(0) + 'code')}"),
    ):
        state = begin()
        steps = send(state, *begun[:1], "NICK ann", "USER a 0 * :A", *begun[1:])
        proving = next(step for step in steps if isinstance(step, Prove))
        state.nick_refused(proving)
        assert send(state, "PING x", "CAP END", "NICK ann_")[-1:] == [proving]
        state.proved("ann_", "ann_!member@01", proving)
        assert state.nick == "ann_"
    state.nick_refused(proving)
    send(state, "AUTHENTICATE *")  # it does something else instead
    assert proving not in send(state, "NICK ann__")


def test_sasl_plain_in_pieces_and_its_errors() -> None:
    state = begin()
    assert shown(send(state, "AUTHENTICATE PLAIN"))[0].startswith(":irc.zchat 904")  # it was not asked for
    send(state, "CAP REQ :sasl", "NICK alice", "USER a 0 * :A")
    assert shown(send(state, "AUTHENTICATE SCRAM-SHA-256")) == [
        ":irc.zchat 908 alice PLAIN :are available SASL mechanisms", ":irc.zchat 904 alice :SASL authentication failed",
    ]  # fmt: skip
    assert shown(send(state, "AUTHENTICATE PLAIN")) == ["AUTHENTICATE +"]
    long = plain("\0alice\0" + "p" * 400)
    assert send(state, f"AUTHENTICATE {long[:400]}") == []
    assert send(state, f"AUTHENTICATE {long[400:]}") == [Prove(Proof("alice", "p" * 400), sasl=True)]
    for wrong in ("!!!", plain("no zeros"), plain("\0alice\0")):
        send(state, "AUTHENTICATE PLAIN")
        assert shown(send(state, f"AUTHENTICATE {wrong}")) == [":irc.zchat 904 alice :SASL authentication failed"]
    send(state, "AUTHENTICATE PLAIN")
    assert shown(send(state, "AUTHENTICATE *")) == [":irc.zchat 906 alice :SASL authentication aborted"]
    send(state, "AUTHENTICATE PLAIN")
    found = [step for _ in range(11) for step in send(state, "AUTHENTICATE " + "A" * 400)]
    assert shown(found)[0] == ":irc.zchat 905 alice :SASL message too long"
    for _ in range(2):  # each time it begins anew
        assert shown(send(state, "AUTHENTICATE PLAIN")) == ["AUTHENTICATE +"]
        assert shown(send(state, "AUTHENTICATE " + "A" * 401)) == [":irc.zchat 905 alice :SASL message too long"]


def test_nobody_comes_in_while_a_proof_is_on_its_way() -> None:
    state = begin()
    send(state, "CAP REQ :sasl", "NICK alice", "USER a 0 * :A", "AUTHENTICATE PLAIN")
    assert send(state, "CAP END") == []
    (proving,) = send(state, f"AUTHENTICATE {plain(chr(0) + 'alice' + chr(0) + 'p')}")[:1]
    assert isinstance(proving, Prove)
    assert Enter() in state.proved("alice", "alice!member@01", proving)
    assert shown(send(state, "AUTHENTICATE PLAIN"))[0].startswith(":irc.zchat 907 alice "), "one is one person"


def test_an_answer_of_just_400_characters_ends_with_a_plus() -> None:
    state = begin()
    send(state, "CAP REQ :sasl", "NICK alice", "USER a 0 * :A", "AUTHENTICATE PLAIN")
    exact = plain("\0al\0" + "p" * 296)
    assert len(exact) == 400
    assert send(state, f"AUTHENTICATE {exact}") == []
    assert send(state, "AUTHENTICATE +") == [Prove(Proof("al", "p" * 296), sasl=True)]


def test_a_certificate_is_a_proof_over_tls_only() -> None:
    state = begin(tls=True)
    send(state, "CAP REQ :sasl", "NICK alice", "USER a 0 * :A", "AUTHENTICATE EXTERNAL")
    assert send(state, "AUTHENTICATE +") == [Prove(Proof("", None), sasl=True)]
    plain_text = begin()
    send(plain_text, "CAP REQ :sasl")
    assert "908" in shown(send(plain_text, "AUTHENTICATE EXTERNAL"))[0]


@pytest.mark.parametrize("word", ["PING :x", "PONG x", "QUIT :bye"])
def test_ping_and_quit_are_understood_from_the_beginning(word: str) -> None:
    steps = send(begin(), word)
    assert {"PING": ":irc.zchat PONG irc.zchat x", "PONG": "", "QUIT": ""}[word.split(maxsplit=1)[0]] == "".join(
        shown(steps)
    )
    assert word[0] != "Q" or [type(step) for step in steps] == [Leave]
