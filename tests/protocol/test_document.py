"""The specification says what the records and the table of policy say: no field is missing, and none is too much."""

import re
from pathlib import Path

import msgspec
import pytest

from zchat.broker.core.members import _CHANGES
from zchat.client.core.numbered import FINAL, RETRY
from zchat.protocol import messages as m
from zchat.protocol import names, policy

PAGE = (Path(names.__file__).parent / "README.md").read_text()
ROLES = ("owner", "moderator", "member", "guest")


def section(title: str) -> str:
    """Return the text of a section, without the sections below it."""
    found = re.search(rf"^#+ {title}$(.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, title
    return found[1]


def rows(title: str, columns: int) -> list[list[str]]:
    """Return the cells of the tables with so many columns in a section, without their heads."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    heads = {at - 1 for at, row in enumerate(cells) if set("".join(row)) == {"-"}}
    return [
        row for at, row in enumerate(cells) if len(row) == columns and at not in heads and set("".join(row)) != {"-"}
    ]


def fields(cell: str) -> set[str]:
    """Return the names of fields in a cell: what stands in brackets are their values."""
    while (shorter := re.sub(r"\([^()]*\)|\{[^{}]*\}|\[[^\[\]]*\]", "", cell)) != cell:
        cell = shorter
    return set(re.findall(r"`(\w+)`", cell))


def table(title: str, columns: int) -> dict[str, str]:
    """Return the cell that lists the fields of each type."""
    return {row[0].strip("`"): row[1] for row in rows(title, columns)}


def tag(record: type) -> str:
    return str(msgspec.inspect.type_info(record).tag)  # type: ignore[attr-defined]


def encoded(record: type) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(record)} - {"ref"}


COMMANDS, REPLIES = table("Commands", 3), table("Replies", 2)
EVENTS = table("Events", 3)
IN_REPLIES = [one for one in m.AnyReply.__args__ if issubclass(one, m.Reply)]  # the others are events


@pytest.mark.parametrize("command", m.AnyCommand.__args__, ids=tag)
def test_each_command_stands_there_with_its_fields(command: type) -> None:
    assert fields(COMMANDS[tag(command)]) == encoded(command)


@pytest.mark.parametrize("reply", IN_REPLIES, ids=tag)
def test_each_reply_stands_there_with_its_fields(reply: type) -> None:
    assert fields(REPLIES[tag(reply)]) == encoded(reply)


@pytest.mark.parametrize(
    "event",
    [
        *(m.MemberJoined, m.MemberLeft, m.MemberRenamed, m.MemberAway, m.MemberTyping),
        *(m.BrokerBye, m.BrokerStalled, m.BrokerFlowing, m.ReadMarked, m.Dropped),
    ],
    ids=tag,
)
def test_each_ephemeral_event_stands_there_with_its_fields(event: type) -> None:
    assert fields(EVENTS[tag(event)]) == encoded(event)


@pytest.mark.parametrize("event", [m.Edited, m.Deleted, m.Tombstone, m.Reacted, m.Pinned], ids=tag)
def test_what_is_done_to_messages_stands_there_with_its_fields(event: type) -> None:
    everywhere = {"seq", "prev", "time", "from", "nick", "room", "to", "with"}
    told = table("What is done to messages", 3)
    assert fields(told[tag(event)]) == encoded(event) - everywhere


def test_a_file_of_a_message_stands_there_with_its_fields() -> None:
    of_a_file = re.search(r"`files`\? \(1 to 10: \[\{(.*?)\}\]\)", COMMANDS["say"])
    assert of_a_file is not None
    assert fields(of_a_file[1]) == encoded(m.Attachment) - {"size"}  # which the broker adds
    assert fields(section("Files")) >= encoded(m.Attachment) - {"file"}
    assert "(1 to 100,000 each)" in section("Files")
    assert m.PIXELS_MAX == 100_000


def test_the_unions_have_all_kinds_of_the_list() -> None:
    assert {kind.command for kind in m.KINDS} == set(m.Spoken.__args__)
    assert {kind.event for kind in m.KINDS} | {m.Tombstone} == set(m.Durable.__args__)


def test_each_change_of_members_and_rooms_stands_there_with_its_fields() -> None:
    everywhere = {"seq", "prev", "time", "change", "by", "by_nick"}
    told: dict[str, tuple[set[str], set[str]]] = {"member": (set(), set()), "access": (set(), set())}
    of = ""
    for type_, change, further in rows("The chain of members", 3):
        of = type_.strip("`") or of
        told[of][0].update(fields(change))
        told[of][1].update(fields(further))
    assert told["member"] == (set(_CHANGES), encoded(m.MemberChanged) - everywhere)
    assert told["access"] == (
        {"mode", "keep", "admitted", "expelled", "operator"},
        encoded(m.AccessChanged) - everywhere,
    )


def test_the_table_of_who_may_do_what_is_that_of_the_broker() -> None:
    assert rows("Who may do what", 5) == [
        [
            rule.text + (" †" if rule.aimed else ""),
            *("yes" if policy.RANKS[role] >= policy.RANKS[rule.role] else "no" for role in ROLES),
        ]
        for rule in policy.TABLE.values()
    ]


def test_a_client_knows_each_code_that_takes_a_number_and_each_that_is_sent_again() -> None:
    said = {code.strip("`"): row[2] for row in rows("Replies", 3) for code in row[0].split(", ")}
    taken = {code for code, number in said.items() if re.search(rf"^number taken|`{code}`: number taken", number)}
    assert taken == FINAL
    assert {code for code, number in said.items() if number.startswith("number not taken")} >= RETRY


def test_every_code_of_an_error_that_the_broker_sends_stands_there() -> None:
    told = {code for row in rows("Replies", 3) for code in re.findall(r"`(\w+)`", row[0])}
    broker = Path(names.__file__).parents[1] / "broker"
    source = "\n".join(file.read_text() for file in [*broker.rglob("*.py"), Path(m.__file__).parents[1] / "wire.py"])
    sent = set(re.findall(r'(?:Refused|error|refuse)\(\s*(?:session, command, )?"([a-z_]+)"', source))
    sent |= set(re.findall(r'code="([a-z_]+)"', source))
    assert {"bad_invite", "forbidden", "unavailable", "no_session", "bad_json"} <= sent
    assert sent <= told
