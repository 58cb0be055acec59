"""Tells of builds, one thread for each: the first word on a build is a message, all others are replies to it.

A build server needs nothing but the command line:

    zchat send --to herald "build web-42 started"
    zchat send --to herald "build web-42 failed tests/test_login.py, 3 failures"
"""

from zchat import Bot

SIGNS = {"started": "…", "passed": "✔", "failed": "✘"}

bot = Bot("herald")


@bot.command()
async def build(ctx, name: str, state: str, *words: str):
    """Tell of a build: build NAME started|passed|failed [WHAT ELSE]."""
    key = f"build {name}"
    text = f"{SIGNS.get(state, '·')} {name} {state}" + (f": {' '.join(words)}" if words else "")
    for room in bot.rooms:
        thread = bot.store.get(key, {}).get(room)
        ack = await ctx.say(text, room=room, reply_to=thread)
        if thread is None:  # a bot killed here says it again, and gets the same seq for it
            bot.store[key] = bot.store.get(key, {}) | {room: ack.seq}


if __name__ == "__main__":
    bot.run()
