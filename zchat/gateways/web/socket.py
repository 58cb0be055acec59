"""One tab's WebSocket: who it is, what it asks, what it is sent.

A tab of somebody whose session cannot be had now (the broker is away) is told so, and waits here for it: so the page
knows that the way to the gateway is open, and what it waits for.
"""

import asyncio
import contextlib

from starlette.websockets import WebSocket, WebSocketDisconnect

from zchat.errors import ClosedError, RefusedError, SignedOutError, TimedOutError, UnreachableError, ZchatError
from zchat.gateways.people.logins import Logins
from zchat.gateways.rates import Bucket, Rate
from zchat.protocol import messages as m

from . import commands, frames
from .gateway import Gateway
from .household import Household, Tab
from .wording import sentence

ASKING_MAX = 64  # commands of a tab that wait for their answers
COMMANDS = Rate(300, 50)  # of a tab; who sends more is read more slowly
FIRST_RETRY, LAST_RETRY = 1.0, 15.0  # seconds between two tries to get somebody a session
LAST_WORDS = 5.0  # seconds for what a tab is sent last
OUT, SLOW, AGAIN = 4401, 4408, 1012  # codes of closing: the login is gone; too slow; the gateway is begun again


async def talk(websocket: WebSocket, gateway: Gateway) -> None:
    """Serve one tab until it ends."""
    token = gateway.token(websocket)
    await websocket.accept()
    async with gateway.counted(websocket) as room:
        try:
            if token is None:
                await _out(websocket, "You are not signed in.")
            elif not room:
                await websocket.close(SLOW, "too many tabs from this address")
            else:
                await _serve(websocket, gateway, token)
        except SignedOutError as error:
            await _out(websocket, str(error))
        except (WebSocketDisconnect, RuntimeError):  # it is gone
            pass


async def _serve(websocket: WebSocket, gateway: Gateway, token: str) -> None:
    household = await _household(websocket, gateway, token)
    if gateway.token(websocket) is None:  # it has signed out meanwhile
        raise SignedOutError
    tab = household.enter(Logins.key(token))
    work = (_read(websocket, gateway, household, tab), _write(websocket, tab), _is_stuck(tab))
    tasks = [asyncio.create_task(each) for each in work]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        household.leave(tab)
        gateway.households.left(household)
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _household(websocket: WebSocket, gateway: Gateway, token: str) -> Household:
    """Return the tabs of the person who has this token, once they have a session."""
    wait = FIRST_RETRY
    while True:
        try:
            return await gateway.households.of(token)
        except SignedOutError:
            raise
        except (UnreachableError, TimedOutError, RefusedError, ClosedError) as error:
            await websocket.send_text(frames.text(frames.State(False, sentence(error), wait)))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                while True:
                    await websocket.receive_text()  # what it says meanwhile goes nowhere; that it is gone is told here
        wait = min(2 * wait, LAST_RETRY)


async def _write(websocket: WebSocket, tab: Tab) -> None:
    while (frame := await tab.next()) is not None:
        await websocket.send_text(frame)
    await websocket.close(OUT if tab.out else AGAIN if tab.again else SLOW, (tab.why or "")[:100])


async def _is_stuck(tab: Tab) -> None:
    """Return when a tab that has ended has not taken its last words in time."""
    await tab.ended.wait()
    await asyncio.sleep(LAST_WORDS)


async def _read(websocket: WebSocket, gateway: Gateway, household: Household, tab: Tab) -> None:
    loop = asyncio.get_running_loop()
    bucket, room = Bucket(COMMANDS, loop.time()), asyncio.Semaphore(ASKING_MAX)
    tasks: set[asyncio.Task[None]] = set()
    while True:
        text = await websocket.receive_text()
        if (wait := bucket.owe(loop.time())) > 0:
            await asyncio.sleep(wait)
        await room.acquire()
        task = asyncio.create_task(_ask(gateway, household, tab, text))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        task.add_done_callback(lambda _: room.release())


async def _ask(gateway: Gateway, household: Household, tab: Tab, text: str) -> None:
    """Do what a tab asks, and let it have the answer."""
    id_: int | None = None
    try:
        id_, command = commands.read(text)
        if isinstance(command, commands.Visible):
            tab.visible = command.visible
            return
        if isinstance(command, commands.MarkUnread):
            reply = await household.unmarked(command)
        else:
            reply = await commands.carry_out(household.person, command, gateway.site.url)
        await _note(household, tab, command, reply)
    except commands.BadCommandError as error:
        tab.put(frames.text(frames.Refused(error.reference, error.code, error.message)))
    except RefusedError as error:
        tab.put(frames.text(frames.Refused(id_, error.code, error.message)))
    except TimedOutError as error:
        tab.put(frames.text(frames.Refused(id_, "timeout", str(error))))
    except (ZchatError, ValueError, TypeError, OverflowError) as error:
        tab.put(frames.text(frames.Refused(id_, "failed", str(error))))
    else:
        if id_ is not None:
            rendered = await gateway.rendering.reply(reply, household.turn)
            tab.put(frames.text(frames.Reply(id_, rendered)))


async def _note(household: Household, tab: Tab, command: object, reply: object) -> None:
    """Let the other tabs know what this one has done, where the broker tells only other sessions.

    Rooms are called as in the reply: somebody may have typed `#Dev`.
    """
    match reply:
        case m.Joined(room=room):
            await household.entered(room)
        case m.Parted(room=room):
            household.left(room)
    match command:
        case m.SetNick():
            household.look_at_me()
        case m.MarkRead():
            household.marked(command, tab)


async def _out(websocket: WebSocket, why: str) -> None:
    await websocket.send_text(frames.text(frames.Out(why)))
    await websocket.close(OUT, "signed out")
