"""When a connection that cannot be made is given up, and what is said then."""

import pytest

from tests.client.script import Talk
from zchat.client.core import effects as do
from zchat.client.core.handshake import SURE_TRIES, Fault, Handshakes
from zchat.client.core.notices import KeptOut
from zchat.errors import EncryptionMismatchError, KeyRefusedError, UnreachableError, WrongKeyError

HOST = "chat.example.org"
KEYS = [Fault.WRONG_KEY, Fault.ENCRYPTED, Fault.NOT_ENCRYPTED]


def tries(faults: list[Fault], *, known: bool = False) -> list[bool]:
    """Return for each of these failures, one after the other, whether it was final."""
    handshakes = Handshakes(HOST)
    return [handshakes.failed(fault, known=known) for fault in faults]


def test_a_key_that_is_refused_is_refused_for_good() -> None:
    assert tries([Fault.KEY_REFUSED]) == tries([Fault.KEY_REFUSED], known=True) == [True]


@pytest.mark.parametrize("fault", KEYS)
def test_another_key_is_believed_after_some_tries(fault: Fault) -> None:
    assert tries([fault] * SURE_TRIES) == [False] * (SURE_TRIES - 1) + [True]


@pytest.mark.parametrize("fault", KEYS)
def test_it_is_not_believed_where_a_broker_has_answered_before_or_something_else_comes_in_between(
    fault: Fault,
) -> None:
    assert not any(tries([fault] * 20, known=True))
    assert not any(tries([fault] * (SURE_TRIES - 1) + [Fault.NOBODY] + [fault] * (SURE_TRIES - 1)))


@pytest.mark.parametrize("fault", [Fault.NOBODY, Fault.CUT, Fault.HUNG_UP])
def test_what_may_pass_is_never_final(fault: Fault) -> None:
    assert not any(tries([fault] * 20))


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.WRONG_KEY, WrongKeyError),
        (Fault.ENCRYPTED, EncryptionMismatchError),
        (Fault.NOT_ENCRYPTED, EncryptionMismatchError),
        (Fault.KEY_REFUSED, KeyRefusedError),
        (Fault.HUNG_UP, type(None)),
        (Fault.NOBODY, type(None)),
        (Fault.CUT, type(None)),
    ],
)
def test_what_is_known_is_said_in_the_end(fault: Fault, error: type) -> None:
    handshakes = Handshakes(HOST)
    handshakes.failed(fault, known=False)
    assert type(handshakes.error) is error
    handshakes.failed(Fault.NOBODY, known=False)  # of another endpoint: it tells less
    assert type(handshakes.error) is error
    handshakes.succeeded()
    assert handshakes.error is None


def test_who_was_in_before_goes_on_trying_and_who_was_not_ends() -> None:
    stranger = Talk(patience=600.0)
    friend = Talk()
    friend.greet()
    for talk in (stranger, friend):
        for _ in range(10):
            talk.connect()
            talk.carry_out(talk.session.lost(talk.now, Fault.WRONG_KEY))
            talk.tick(1.0)
    (end,) = stranger.did(do.Finish)
    assert isinstance(end.error, WrongKeyError)
    assert friend.did(do.Finish) == []
    assert [notice.code for notice in friend.delivered if isinstance(notice, KeptOut)] == ["wrong_key"]


def test_the_first_connection_ends_with_what_is_known_when_the_patience_is_over() -> None:
    for fault, error in ((Fault.WRONG_KEY, WrongKeyError), (Fault.NOBODY, UnreachableError)):
        talk = Talk(patience=1.0)
        talk.connect()
        talk.carry_out(talk.session.lost(talk.now, fault))
        talk.tick(1.0)
        (end,) = talk.did(do.Finish)
        assert type(end.error) is error


def test_over_ipc_it_is_a_user_who_is_not_let_in() -> None:
    assert "does not let your user in" in str(KeyRefusedError("ipc:///run/zchat.sock"))
    assert "the key of this device" in str(KeyRefusedError("chat.example.org"))
