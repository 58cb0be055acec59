"""MARKREAD: through where one has read a place."""

from zchat.errors import RefusedError, ZchatError
from zchat.gateways.irc import marks
from zchat.gateways.irc.client import Answer, Client
from zchat.gateways.irc.core.lines import Line, line
from zchat.gateways.irc.core.numerics import SERVER, fail


async def markread(client: Client, got: Line, answer: Answer) -> None:
    """MARKREAD: to ask, or to tell."""
    if not got.params:
        answer.send(fail("MARKREAD", "NEED_MORE_PARAMS", "Missing parameters"))
        return
    target = got.params[0]
    room = client.room_of(target) if target.startswith("#") else None
    to = None if target.startswith("#") else client.nick_of(target)
    if room is None and to is None:
        answer.send(fail("MARKREAD", "INVALID_PARAMS", target, "Invalid parameters"))
        return
    if len(got.params) > 1 and not await _mark(client, target, got.params[1], room, to, answer):
        return
    channel = client.scene.channel(room) if room is not None else client.scene.called(to or "")
    mark = line(SERVER, "MARKREAD", channel, await marks.shown(client.carried, room=room, to=to))
    answer.send(mark)
    if len(got.params) > 1:
        for each in client.carried.clients:
            if each is not client:
                each.send([mark])


async def _mark(client: Client, target: str, word: str, room: str | None, to: str | None, answer: Answer) -> bool:
    """Mark a place as read; say whether that was possible."""
    time = marks.moment(word)
    if time is None:
        answer.send(fail("MARKREAD", "INVALID_PARAMS", target, word, "Invalid parameters"))
        return False
    try:
        await marks.set_(client.carried, time, room=room, to=to)
    except RefusedError as error:
        answer.send(fail("MARKREAD", "INVALID_PARAMS", target, error.message))
        return False
    except ZchatError as error:
        answer.send(fail("MARKREAD", "INTERNAL_ERROR", target, f"The read timestamp could not be set: {error}"))
        return False
    return True
