"""Rolls dice: `!roll`, `!roll 20`, `!roll 6 --times 3`."""

import random
from typing import Annotated

import click

from zchat import Bot

bot = Bot("dicebot")


@bot.command()
async def roll(
    ctx, sides: Annotated[int, click.IntRange(2, 1000)] = 6, *, times: Annotated[int, click.IntRange(1, 20)] = 1
):
    """Roll a die, or several."""
    rolled = [random.randint(1, sides) for _ in range(times)]
    total = f" = {sum(rolled)}" if times > 1 else ""
    return " + ".join(map(str, rolled)) + total


@bot.command()
async def pick(ctx, *things: str):
    """Pick one of several things."""
    return random.choice(things) if things else "Nothing to pick from."


if __name__ == "__main__":
    bot.run()
