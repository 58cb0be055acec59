"""Names that IRC cannot carry: every name has one of its own, and leads back."""

from hypothesis import given
from hypothesis import strategies as st

from zchat.gateways.irc.core.names import NICKS, ROOMS, NameMap, folded
from zchat.protocol import names

ODD = st.text("aB,!@:.é日 #~|/", min_size=1, max_size=40)
NAMES = st.one_of(ODD, st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=70))


def is_name(text: str, kind: str) -> bool:
    try:
        return (names.nick if kind == "nick" else names.room)(text) == text
    except names.BadNameError:
        return False


@given(st.lists(NAMES, max_size=30), st.sampled_from(["nick", "room"]))
def test_no_two_names_are_one_and_each_leads_back(given_: list[str], kind: str) -> None:
    ours = list(dict.fromkeys(each for each in given_ if is_name(each, kind)))
    rules = NICKS if kind == "nick" else ROOMS
    known = NameMap(rules)
    there = {name: known.to_irc(name) for name in ours}
    assert len({folded(alias) for name, alias in there.items() if alias != name}) == sum(
        alias != name for name, alias in there.items()
    )
    for name, alias in there.items():
        assert known.from_irc(alias) == name
        assert known.from_irc(alias.swapcase() if alias.isascii() and alias != name else alias) == name
        assert not rules.bad.intersection(alias)
        assert alias[0] not in rules.begins
        assert len(alias.encode()) <= rules.most
        assert alias == name or not is_name(alias, kind)  # so nobody else can come to be called so
    again = NameMap(rules, known.kept)
    assert {name: again.to_irc(name) for name in reversed(ours)} == there
    assert not again.fresh


def test_what_irc_can_carry_stays_as_it_is() -> None:
    nicks, rooms = NameMap(NICKS), NameMap(ROOMS)
    assert [nicks.to_irc(name) for name in ("alice", "Zoë", "日本", "a.b-c_d")] == ["alice", "Zoë", "日本", "a.b-c_d"]
    assert [rooms.to_irc(name) for name in ("dev", "+ops", "café", "#x")] == ["dev", "+ops", "café", "#x"]
    assert not nicks.fresh
    assert nicks.to_irc("a,b") == "a_b|"
    assert nicks.to_irc("a!b") == "a_b|2"
    assert nicks.from_irc("A_B|2") == "a!b"
    assert rooms.to_irc("a,b") == "a_b/"
    for names_, long in ((nicks, "日" * 30), (rooms, "é" * 60)):  # a line of IRC has 512 bytes
        alias = names_.to_irc(long)
        assert len(alias.encode()) <= len(long.encode()) - 10
        assert names_.from_irc(alias) == long
    assert folded("AZ[É") == "az[É"
    assert rooms.from_irc("a_b") == "a_b"
    assert nicks.fresh
