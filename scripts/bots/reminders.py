"""Reminds: `!remind 10m the tea is ready`.

What it has promised it keeps on disk, and says once, also if it is killed.
"""

import time
from typing import Annotated

import click

from zchat import Bot

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

bot = Bot("reminder")


class Delay(click.ParamType):
    """`90s`, `10m`, `2h`, `1d`, in seconds."""

    name = "delay"

    def convert(self, value, param, ctx):
        if value[-1:] not in UNITS or not value[:-1].isdigit():
            self.fail(f"{value!r} is no delay: write 90s, 10m, 2h or 1d", param, ctx)
        return int(value[:-1]) * UNITS[value[-1]]


@bot.command()
async def remind(ctx, when: Annotated[int, Delay()], *what: str):
    """Say something later: !remind 10m the tea is ready."""
    ctx.once()
    entry = {"due": time.time() + when, "room": ctx.room, "nick": ctx.nick, "text": " ".join(what) or "now"}
    ctx.store[f"reminder {ctx.seq}"] = entry
    return f"I will. (To forget it: !forget {ctx.seq})"


@bot.command()
async def forget(ctx, number: int):
    """Take back a reminder."""
    ctx.once()
    return "Forgotten." if ctx.store.pop(f"reminder {number}", None) else "I know of no such reminder."


@bot.every(seconds=0.5)
async def look(ctx):
    for key, entry in list(bot.store.items()):
        if entry["due"] <= time.time():
            ctx.once()  # forgotten and said, both or neither
            if ctx.store.pop(key, None):
                where = {"room": entry["room"]} if entry["room"] else {"to": entry["nick"]}
                await ctx.say(f"{entry['nick']}: {entry['text']}", **where)


if __name__ == "__main__":
    bot.run()
