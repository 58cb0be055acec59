"""Gateways that are broken on purpose; what each does is in `mutants.py`, which promise it breaks, too.

Their rooms are imported when they are broken: a broker that is broken needs none of it.
"""

import asyncio
from typing import Any

from msgspec import structs

from zchat.client.core.notices import CaughtUp, Online
from zchat.protocol import messages as m


def keys_are_not_passed_on() -> None:
    """Say what a page says without its `once`."""
    from zchat.gateways.web import commands  # noqa: PLC0415 — as told above

    real = commands._do

    async def do(person: Any, command: Any, url: str) -> Any:
        return await real(person, structs.replace(command, once=None) if isinstance(command, m.Say) else command, url)

    commands._do = do  # type: ignore[assignment]


def tabs_hear_late() -> None:
    """Let a tab hear what happens only from a moment after its `hello` on."""
    from zchat.gateways.web.household import Household  # noqa: PLC0415 — as told above

    real = Household.enter

    def enter(self: Household, login: str = "") -> Any:
        tab = real(self, login)
        self.tabs.remove(tab)
        asyncio.get_running_loop().call_later(0.5, self.tabs.append, tab)
        return tab

    Household.enter = enter  # type: ignore[method-assign]


def what_was_missed_is_kept_back() -> None:
    """Tell nobody that a session was resumed, nor what it has caught up with in its rooms then."""
    from zchat.gateways.people.feed import Feed  # noqa: PLC0415 — as told above

    real, catching_up = Feed.put, set[Feed]()

    def put(self: Feed, events: Any, lines: Any) -> None:
        if any(isinstance(event, Online) for event in events):
            catching_up.add(self)
        elif any(isinstance(event, CaughtUp) for event in events):
            catching_up.discard(self)
        elif self not in catching_up or not any(isinstance(event, m.Durable) for event in events):
            real(self, events, lines)

    Feed.put = put  # type: ignore[method-assign]


def history_begins_one_too_late() -> None:
    from zchat.gateways.irc.history import Asked  # noqa: PLC0415 — as told above

    real = Asked.after

    async def after(self: Any, seq: int, limit: int, below: int = m.SEQ_MAX) -> list[Any]:
        return await real(self, seq + 1, limit, below)

    Asked.after = after  # type: ignore[method-assign]


def answers_do_not_wait() -> None:
    """Answer what is said by IRC at once, and send it to the broker a moment later."""
    from zchat.gateways.irc.client import labeled  # noqa: PLC0415 — as told above
    from zchat.gateways.irc.commands import talking  # noqa: PLC0415 — as told above

    real = talking.post

    async def post(client: Any, answer: Any, command: str, place: Any, posting: Any) -> None:
        if answer.label is not None:
            client.send(labeled([], answer.label, client.scene))
            answer.label = None

        async def later() -> None:
            await asyncio.sleep(0.5)
            await real(client, answer, command, place, posting)

        client.gateway.spawn(later())
        answer.later()

    talking.post = post
