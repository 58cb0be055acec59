"""Logins on disk: which token is whose, and for how long."""

from pathlib import Path

import pytest

from zchat.errors import StorageError
from zchat.gateways.people.logins import KEPT, OF_ONE, Logins
from zchat.gateways.people.own_links import AT_MOST, EXPIRE, OwnLinks

DAY = 86_400.0


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def test_a_login_is_found_by_its_token_alone_also_by_the_next_process(tmp_path: Path) -> None:
    clock = Clock()
    logins = Logins(tmp_path / "logins.json", clock)
    token = logins.add("a" * 16, name="Firefox")
    assert logins.add("b" * 16, "password", "chosen elsewhere") == "chosen elsewhere"
    clock.now += 5
    found = Logins(tmp_path / "logins.json", clock).find(token)
    assert found is not None
    assert (found.person, found.kind, found.name, found.seen - found.since) == ("a" * 16, "cookie", "Firefox", 5)
    assert Logins(tmp_path / "logins.json", clock).find(token[:-1]) is None
    assert logins.find("chosen elsewhere") is not None
    assert logins.find("\ud800") is None


def test_a_login_ends_when_it_is_forgotten_or_nobody_has_used_it(tmp_path: Path) -> None:
    clock = Clock()
    logins = Logins(tmp_path / "logins.json", clock)
    used, unused, left = (logins.add("a" * 16) for _ in range(3))
    other = logins.add("b" * 16)
    logins.forget(left)
    for _ in range(100):
        clock.now += DAY
        assert logins.find(used) is not None
    assert logins.find(unused) is None
    assert logins.find(left) is None
    assert logins.find(other) is None
    assert Logins(tmp_path / "logins.json", clock).of("b" * 16) == ()  # what is over leaves the file
    logins.forget_person("a" * 16)
    assert Logins(tmp_path / "logins.json", clock).find(used) is None
    assert KEPT < 100 * DAY


def test_one_person_has_so_many_logins_and_the_one_used_least_lately_goes(tmp_path: Path) -> None:
    clock = Clock()
    logins = Logins(tmp_path / "logins.json", clock)
    tokens = [logins.add("a" * 16)]
    for _ in range(OF_ONE):
        clock.now += 1
        logins.find(tokens[0])
        tokens.append(logins.add("a" * 16))
    assert logins.find(tokens[0]) is not None
    assert logins.find(tokens[1]) is None
    assert len(logins.of("a" * 16)) == OF_ONE


def test_another_file_in_its_place_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "logins.json").write_text("[]")
    with pytest.raises(StorageError, match="left untouched"):
        Logins(tmp_path / "logins.json")
    assert (tmp_path / "logins.json").read_text() == "[]"


def test_a_code_of_the_gateway_counts_once_and_for_a_day_or_until_it_is_told(tmp_path: Path) -> None:
    clock = Clock()
    ours, theirs = OwnLinks(tmp_path / "links.json", clock), OwnLinks(tmp_path / "links.json", clock)
    code, other, late = ours.make(), ours.make("a" * 16), ours.make()
    assert theirs.take("nothing") is None
    assert theirs.take(code) == ""
    assert ours.take(code) is None
    assert ours.take(other) == "a" * 16
    brief, long = ours.make(until=clock.now + 60), ours.make(until=clock.now + 2 * EXPIRE)
    clock.now += 61
    assert ours.take(brief) is None
    clock.now += EXPIRE
    assert ours.take(late) is None
    assert ours.take(long) == ""
    many = [ours.make() for _ in range(AT_MOST + 1)]
    assert ours.take(many[0]) is None
    assert ours.take(many[-1]) == ""
