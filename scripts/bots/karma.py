"""Counts thanks: `zmq++`, `windows--`, `!karma zmq`, `!top`.

Each vote counts exactly once, whatever happens to the bot.
"""

from zchat import Bot

bot = Bot("karmabot")


@bot.on_message(r"(\w[\w.-]*)(\+\+|--)(?!\S)")
async def vote(ctx, name: str, sign: str):
    ctx.once()  # the count and the answer are one
    name = name.casefold()
    if name == ctx.nick.casefold():
        return "Nice try."
    ctx.store[name] = ctx.store.get(name, 0) + (1 if sign == "++" else -1)
    return f"{name} has {ctx.store[name]} now."


@bot.command()
async def karma(ctx, name: str):
    """Show what somebody or something has."""
    return f"{name} has {ctx.store.get(name.casefold(), 0)}."


@bot.command()
async def top(ctx, count: int = 5):
    """Show who has most."""
    ranked = sorted(ctx.store.items(), key=lambda entry: -entry[1])[: max(count, 0)]
    return "\n".join(f"{points:4} {name}" for name, points in ranked) or "Nobody was thanked yet."


if __name__ == "__main__":
    bot.run()
