"""What a bot's author learns about a handler that fails or holds up the loop."""

import functools
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.client.real import until
from zchat import Bot
from zchat.bots import watchdog
from zchat.testing import Chat

Handler = Callable[..., Any]


def logged(call: Handler) -> Handler:
    """Decorate a handler as its author might."""

    @functools.wraps(call)
    async def outer(*args: Any) -> Any:
        return await call(*args)

    return outer


@pytest.mark.parametrize("decorate", [lambda call: call, logged], ids=["plain", "decorated"])
async def test_a_handler_that_holds_up_the_loop_is_named_once_with_its_line(
    chat: Chat,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    decorate: Callable[[Handler], Handler],
) -> None:
    monkeypatch.setattr(watchdog, "LOOK", 0.05)
    monkeypatch.setattr(watchdog, "PATIENCE", 0.1)
    author = Bot("busybot", rooms=["general"])

    @author.command()
    @decorate
    async def compute(ctx: Any) -> str:
        began = time.monotonic()
        while "holds up" not in caplog.text and time.monotonic() - began < 30:
            time.sleep(0.01)  # noqa: ASYNC251 — this is what is wrong with it
        held = time.monotonic()
        while time.monotonic() - held < 0.5:
            time.sleep(0.01)  # noqa: ASYNC251
        return "done"

    bot, alice = await chat.bot(author), await chat.person("alice")
    await alice.says("!compute")
    await bot.replied("^done$")
    warned = [record.getMessage() for record in caplog.records if record.name == watchdog.__name__]
    assert len(warned) == 1
    assert warned[0].startswith(f"compute holds up the whole bot ({__file__}, line ")


async def test_how_a_handler_failed_and_where_is_in_one_line(chat: Chat, caplog: pytest.LogCaptureFixture) -> None:
    author = Bot("boombot", rooms=["general"])

    def inner() -> None:
        int("seven")

    @author.command()
    async def boom(ctx: Any) -> None:
        inner()

    bot, alice = await chat.bot(author), await chat.person("alice")
    await alice.says("!boom")
    await bot.replied("^Sorry, something went wrong in boom")
    line = inner.__code__.co_firstlineno + 1
    told = "boom failed: ValueError: invalid literal for int() with base 10: 'seven'"
    await until(lambda: f"{told} ({__file__}, line {line}, in inner)" in caplog.text)
