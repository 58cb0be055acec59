"""When what is done again and again is due: in time after a restart, once for what was missed."""

import asyncio
from typing import Any

import pytest

from zchat import Bot
from zchat.bots.core.schedule import Schedule
from zchat.testing import Chat


@pytest.mark.parametrize(
    ("last", "now", "wait"),
    [
        (None, 1000.0, 60.0),  # the first start
        (1000.0, 1020.0, 40.0),  # a restart within the interval
        (1000.0, 1060.0, 0.0),
        (1000.0, 9000.0, 0.0),  # many were missed
        (1000.0, 100.0, 60.0),  # the clock was set back
    ],
)
def test_the_next_call_is_due_one_interval_after_the_last_was(last: float | None, now: float, wait: float) -> None:
    assert Schedule(60.0, last, now).wait(now) == wait


def test_a_call_that_begins_late_does_not_move_those_after_it() -> None:
    schedule = Schedule(60.0, 1000.0, 1020.0)
    schedule.invoked(1060.7)
    assert schedule.last == 1060.0
    assert schedule.wait(1060.7) == pytest.approx(59.3)


def test_what_was_missed_is_made_up_for_by_one_call() -> None:
    schedule = Schedule(60.0, 1000.0, 9000.0)
    schedule.invoked(9000.0)
    assert (schedule.last, schedule.wait(9000.0)) == (9000.0, 60.0)


def test_a_call_that_takes_longer_than_the_interval_delays_the_next_and_is_not_doubled() -> None:
    schedule = Schedule(60.0, 1000.0, 1060.0)
    schedule.invoked(1060.0)
    assert schedule.wait(1300.0) == 0.0
    schedule.invoked(
        1300.0
    )  # the one of 1120 begins when the first has ended, and stands for those of 1180, 1240 and 1300
    assert (schedule.last, schedule.wait(1300.0)) == (1300.0, 60.0)


def test_a_clock_that_is_set_back_delays_by_one_interval_at_most() -> None:
    schedule = Schedule(60.0, 10_000.0, 10_000.0)
    assert schedule.wait(5_000.0) == 60.0
    assert schedule.wait(5_059.0) == 1.0


@pytest.fixture
def clock() -> Bot:
    bot = Bot("clock", rooms=["general"])

    @bot.every(minutes=30)
    async def tell(ctx: Any) -> None:
        ctx.once()
        ctx.store["told"] = ctx.store.get("told", 0) + 1
        await ctx.say(f"number {ctx.store['told']}")

    return bot


async def test_a_bot_restarted_every_20_minutes_does_every_30_minutes_what_it_is_to_do(chat: Chat, clock: Bot) -> None:
    bot = await chat.bot(clock)
    for due in (False, True, True, False, True):  # after 20, 40, 60, 80, 100 minutes: those of 30, 60, 90
        bot.later(minutes=20)
        await bot.stop()
        await bot.start()
        if due:
            await bot.replied("^number [123]$")
        await bot.stayed_silent()
    assert clock.store["told"] == 3


async def test_what_was_missed_is_done_once_when_the_bot_is_back(chat: Chat, clock: Bot) -> None:
    bot = await chat.bot(clock)
    await bot.stop()
    bot.later(days=2)
    await bot.start()
    await bot.replied("^number 1$")
    bot.later(minutes=29)
    await bot.stayed_silent()
    bot.later(minutes=1)
    await bot.replied("^number 2$")


async def test_a_call_that_was_cut_short_is_made_again_and_one_that_can_end_is_let_end(chat: Chat) -> None:
    bot, begun, go = Bot("worker", rooms=["general"]), asyncio.Event(), asyncio.Event()

    @bot.every(hours=1)
    async def work(ctx: Any) -> None:
        begun.set()
        await go.wait()
        await ctx.say("done")

    running = await chat.bot(bot)
    running.later(hours=1)
    await begun.wait()
    await running.kill()
    begun.clear()
    await running.start()
    await begun.wait()
    stopping = asyncio.create_task(running.stop())
    for _ in range(20):  # turns of the loop in which it might be cut short
        await asyncio.sleep(0)
    go.set()
    await stopping
    await running.replied("^done$")
    begun.clear()
    await running.start()
    await running.stayed_silent()
    assert not begun.is_set()


async def test_functions_of_one_name_are_told_apart(chat: Chat) -> None:
    bot = Bot("twins", rooms=["general"])
    for number in ("1", "2"):
        bot.on_message("hi")(lambda ctx, number=number: f"on_message {number}")
        bot.every(hours=1)(lambda ctx, number=number: ctx.say(f"every {number}") and None)
    running, alice = await chat.bot(bot), await chat.person("alice")
    await alice.says("hi")
    running.later(hours=1)
    for number in ("1", "2"):
        await running.replied(f"^on_message {number}$")
        await running.replied(f"^every {number}$")
