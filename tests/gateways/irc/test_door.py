"""Which connections are let in, without sockets."""

from zchat.gateways.irc.door import OF_ONE_ADDRESS, Door, capacity


def test_the_busiest_address_gives_way_and_nobody_who_is_in() -> None:
    cut: list[int] = []
    door = Door(4)
    for who, address in enumerate(("10.0.0.2", "10.0.0.1", "10.0.0.1", "10.0.0.3")):
        assert door.take(who, address, lambda who=who: cut.append(who))  # type: ignore[misc]
    assert door.take(4, "10.0.0.4", lambda: cut.append(4))
    assert cut == [1]
    for who in (0, 2, 3, 4):
        door.is_in(who)
    assert not door.take(5, "10.0.0.5", lambda: cut.append(5))
    door.leave(2)
    assert door.take(5, "10.0.0.5", lambda: cut.append(5))
    assert cut == [1]


def test_who_leaves_gives_the_place_back_to_all_and_to_the_address() -> None:
    cut: list[int] = []
    door = Door(OF_ONE_ADDRESS)
    for who in range(2 * OF_ONE_ADDRESS):
        assert door.take(who, "10.0.0.1", lambda: cut.append(0))
        door.is_in(who)
        door.leave(who)
    assert door.take(-1, "10.0.0.1", lambda: cut.append(0))
    assert cut == []


def test_one_address_has_so_many_and_a_network_of_ipv6_is_one_address() -> None:
    cut: list[int] = []
    door = Door(1_000)
    for who in range(OF_ONE_ADDRESS + 1):
        assert door.take(who, f"2001:db8::{who:x}", lambda who=who: cut.append(who))  # type: ignore[misc]
    assert cut == [0]
    assert door.take(-1, "2001:db8:0:1::1", lambda: cut.append(-1))
    for who in range(100, 500):
        assert door.take(who, "127.0.0.1", lambda: cut.append(-2))
    assert cut == [0]


def test_there_are_as_many_as_there_are_files_for() -> None:
    assert 1 <= capacity() <= 2_000


def test_one_address_tries_so_many_codes_and_then_one_now_and_then() -> None:
    door = Door(10)
    assert [door.may_try("10.0.0.1", 0.0) for _ in range(11)] == [True] * 10 + [False]
    assert door.may_try("10.0.0.2", 0.0)
    assert [door.may_try("10.0.0.1", 5.5), door.may_try("10.0.0.1", 5.6)] == [True, False]
    assert all(door.may_try("127.0.0.1", 0.0) for _ in range(50))
