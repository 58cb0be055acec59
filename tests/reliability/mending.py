"""The same world in which people edit, delete, react, pin and answer.

In the end all clients have the same picture of every room: the one that a model has which applies the log's lines, and
knows nothing of the code that clients fold them with.
"""

import itertools
import json
from collections import Counter
from typing import Any

from tests.reliability.world import PRIVATE, Client, World
from zchat.client.core import effects as do
from zchat.client.core import notices
from zchat.protocol import messages as m
from zchat.protocol import wire

REFUSALS = {"bad_target", "bad_reply", "forbidden"}  # of what somebody else deleted meanwhile, or said


class Mender(Client):
    """A client that keeps all events, and whose commands about messages may be refused."""

    def answered(self, effect: do.Answered) -> None:
        if isinstance(effect.answer, m.Error):
            assert effect.answer.code in REFUSALS, effect.answer
        self.acked.append(effect.key)

    def refuse(self, key: tuple[str, str], code: str) -> None:
        assert code in REFUSALS, code

    def show(self, effect: do.Deliver) -> None:
        for event, line in zip(effect.events, effect.lines, strict=True):
            if isinstance(event, m.Durable):
                self.shown[event.room or PRIVATE].append(json.loads(line))
            elif isinstance(event, notices.WentBack):
                for shown in self.shown.values():
                    shown[:] = [each for each in shown if each["seq"] <= event.shared]


class Menders(World):
    """Where people do things to what was said."""

    client = Mender
    people = 3

    def __init__(self, **mutations: bool) -> None:
        super().__init__(self.people, **mutations)
        self._marks = itertools.count(1)

    def mend(self, who: int, how: int, which: int) -> None:
        """Let somebody do something to one of the last messages of anybody."""
        client = self.clients[who % len(self.clients)]
        said = [
            event["seq"] for event in self._log() if event["type"] == "message" and event.get("room") in client.rooms
        ]
        if not said:
            return
        seq, number = said[-1 - which % min(6, len(said))], next(self._marks)
        room = next(str(event["room"]) for event in self._log() if event["seq"] == seq)
        command = (
            m.Edit(n=1, seq=seq, text=f"edit {number}"),
            m.Delete(n=1, seq=seq),
            self._react(client, seq),
            m.Pin(n=1, seq=seq, off=number % 3 == 0),
            m.Say(n=1, room=room, text=f"answer {number}", reply_to=seq),
        )[how % 5]
        client.session.post(command, number)
        client.carry_out(client.session.flush(self.now), self.now)

    def go_back(self, which: int) -> None:
        """Put a copy in the place of the log: what was done to messages since then was not done."""
        self.put_back(which)

    def _react(self, client: Client, seq: int) -> m.React:
        """Give a reaction, or take off the one that is there: so that this is done often."""
        nick, given = f"nick{client.number}", False
        for event in self._log():
            if event["type"] == "reaction" and (event["target"], event["nick"]) == (seq, nick):
                given = not event.get("off")
        return m.React(n=1, seq=seq, emoji="👍", off=given)

    def audit(self) -> None:
        log = self._log()
        texts = Counter(event["text"] for event in log if "text" in event)
        assert all(times == 1 for times in texts.values()), "nothing is done twice"
        for client in self.clients:
            assert len(client.acked) == len(set(map(str, client.acked))), "each has one answer"
            for room in client.rooms:
                seqs = [event["seq"] for event in client.shown[room]]
                assert seqs == [event["seq"] for event in log if event.get("room") == room]
                here = [event for event in log if event.get("room") == room]
                assert folded(client.shown[room]) == model(here), f"client {client.number} sees another {room}"

    def _log(self) -> list[dict[str, Any]]:
        self._catch_up()
        rows = self.broker.store.connection.execute("SELECT lines FROM chunk").fetchall()
        events = [json.loads(line) for (lines,) in rows for line in lines.split(b"\n")]
        return sorted((event for event in events if "seq" in event), key=lambda event: int(event["seq"]))

    def _missed(self, client: Client, log: list[dict[str, Any]]) -> set[int]:
        return set()  # nothing is said to one alone in these stories


def folded(shown: list[dict[str, Any]]) -> dict[int, Any]:
    """Return what a client makes of what it was shown."""
    picture: m.Picture = {}
    for event in wire.events(b"\n".join(json.dumps(each).encode() for each in shown)):
        if isinstance(event, m.Event):
            m.fold(picture, event)
    return {
        seq: None
        if isinstance(item.event, m.Tombstone)
        else (
            item.text,
            item.edited is not None,
            {emoji: sorted(given) for emoji, given in item.reactions.items()},
            item.pinned,
            sorted(item.answers),
        )
        for seq, item in picture.items()
    }


def model(here: list[dict[str, Any]]) -> dict[int, Any]:
    """Return how the messages of a room or conversation are, by its events and the words of the specification."""
    gone = {event["target"] for event in here if event["type"] == "delete"}
    found: dict[int, Any] = {}
    for one in here:
        if one["type"] == "tombstone" and "target" not in one:
            found[one["seq"]] = None
        elif one["type"] == "message":
            about = [event for event in here if event.get("target") == one["seq"]]
            edits = [event["text"] for event in about if event["type"] == "edit"]
            given = {
                (event["emoji"], event["from"]): not event.get("off") for event in about if event["type"] == "reaction"
            }
            pins = [not event.get("off") for event in about if event["type"] == "pin"]
            answers = [
                event["seq"] for event in here if event["type"] == "message" and event.get("thread") == one["seq"]
            ]
            reactions: dict[str, list[str]] = {}
            for emoji, who in sorted(each for each, on in given.items() if on):
                reactions.setdefault(emoji, []).append(who)
            found[one["seq"]] = ([one["text"], *edits][-1], bool(edits), reactions, [False, *pins][-1], sorted(answers))
    assert gone & found.keys() == {seq for seq, state in found.items() if state is None}, (
        "what was deleted is a tombstone, and nothing else"
    )
    return found
