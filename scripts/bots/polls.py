"""Asks a room: `!poll "Where to eat?" pizza sushi`, `!vote 2`, `!result`, `!close`.

One poll a room, one vote a person.
"""

from zchat import Bot

bot = Bot("pollbot")


@bot.command()
async def poll(ctx, question: str, *answers: str):
    """Begin a poll: !poll "Where to eat?" pizza "the usual"."""
    ctx.once()
    if ctx.room in ctx.store:
        return f"There is one already: {ctx.store[ctx.room]['question']} End it with !close."
    if ctx.room is None or len(answers) < 2:
        return 'A poll has a room, a question and two answers or more: !poll "Where to eat?" pizza sushi'
    ctx.store[ctx.room] = {"question": question, "answers": answers, "votes": {}}
    choices = "\n".join(f"  {number} {answer}" for number, answer in enumerate(answers, 1))
    return f"{question} Vote with !vote NUMBER.\n{choices}"


@bot.command()
async def vote(ctx, number: int):
    """Vote, or change your vote."""
    ctx.once()
    running = ctx.store.get(ctx.room or "")
    if running is None:
        return "There is no poll. Begin one with !poll."
    if not 1 <= number <= len(running["answers"]):
        return f"There are the answers 1 to {len(running['answers'])}."
    running["votes"][ctx.from_] = number  # by `from`: a nick may change hands
    ctx.store[ctx.room] = running
    return None


@bot.command()
async def result(ctx):
    """Show how it stands."""
    running = ctx.store.get(ctx.room or "")
    return tally(running) if running else "There is no poll."


@bot.command()
async def close(ctx):
    """End the poll."""
    ctx.once()
    running = ctx.store.pop(ctx.room or "", None)
    return tally(running) if running else "There is no poll."


def tally(running):
    votes = list(running["votes"].values())
    lines = [f"{votes.count(number):4} {answer}" for number, answer in enumerate(running["answers"], 1)]
    return "\n".join([running["question"], *lines])


if __name__ == "__main__":
    bot.run()
