"""Who is pushed what: mentions and direct messages, while nobody looks at a tab of theirs and nobody has read them.

Somebody who wants to be told is kept in their rooms also without a tab. What calls them waits a few seconds, for they
may be at a terminal and read it there; then one notice goes out for each place, and the next one not before a while.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from zchat.client.core.mentions import mentions
from zchat.errors import RefusedError, SignedOutError, StorageError, ZchatError
from zchat.gateways.people.logins import Logins
from zchat.gateways.people.person import Person
from zchat.protocol import messages as m

from .entering import body
from .gateway import Gateway
from .guard import refused
from .push import Notice, Outcome, Push
from .subscriptions import Subscription, Subscriptions

WAIT = 5.0  # seconds in which it may be read elsewhere
AT_MOST = 5  # places that are told of at once
RETRY = (5.0, 300.0)  # seconds until somebody is tried again whose session cannot be had: at first, and at last
BODY_MAX = 4_096

log = logging.getLogger(__name__)


class _Told(msgspec.Struct):
    subscription: Subscription | None = None


class Watching:
    """Watches for all who have a subscription. `wait` is for how many seconds somebody may read it elsewhere."""

    def __init__(self, gateway: Gateway, subscriptions: Subscriptions, push: Push, wait: float = WAIT) -> None:
        self._gateway, self._subscriptions, self._push, self._wait = gateway, subscriptions, push, wait
        self._tasks: dict[str, asyncio.Task[None]] = {}
        gateway.households.push = push.public_key
        gateway.households.opened = self.watch
        gateway.leaving, gateway.pushes = self.forget, push.answers

    @property
    def routes(self) -> list[Route]:
        """What browsers ask of it."""
        return [Route("/push", self.post, methods=["POST"]), Route("/push", self.get, methods=["GET"])]

    async def __aenter__(self) -> "Watching":
        self._subscriptions.keep(self._gateway.people.logins.is_known)
        for person in self._subscriptions.people():
            self.watch(person)
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def get(self, request: Request) -> Response:
        """`GET /push`: is this browser told? One whose push service wants no more is not."""
        token = self._gateway.token(request)
        login = self._gateway.people.logins.find(token) if token else None
        if token is None or login is None:
            return refused("signed_out", "You are not signed in.", 403)
        return JSONResponse({"on": Logins.key(token) in self._subscriptions.of(login.person)})

    async def post(self, request: Request) -> Response:
        """`POST /push`: a browser wants to be told, or not any more."""
        if (token := self._gateway.token(request)) is None:
            return refused("signed_out", "You are not signed in.", 403)
        try:
            told = msgspec.json.decode(await body(request, BODY_MAX), type=_Told)
            login = self._gateway.people.logins.find(token)
            person = login.person if login else ""
            self._subscriptions.put(Logins.key(token), person, told.subscription)
        except (ValueError, RecursionError) as error:
            return refused("bad_json", f"This is no subscription: {error}", 400)
        except RefusedError as error:
            return refused(error.code, error.message, 400)
        except StorageError as error:
            return refused("internal", str(error), 500)
        self.watch(person)
        return JSONResponse({"ok": True})

    def watch(self, person: str) -> None:
        """Watch for a person from now on, if they have a subscription."""
        if self._subscriptions.of(person) and person not in self._tasks:
            task = self._tasks[person] = asyncio.create_task(self._keep_watching(person))
            task.add_done_callback(lambda _: self._tasks.pop(person, None))

    def forget(self, key: str) -> None:
        """A login ends."""
        with contextlib.suppress(StorageError):
            self._subscriptions.put(key, "", None)

    async def _keep_watching(self, id_: str) -> None:
        """Watch until nobody is to be told any more, or the broker has ended the session for a reason."""
        wait = RETRY[0]
        while self._subscriptions.of(id_):
            try:
                person = await self._gateway.people.get(id_)
            except SignedOutError:
                self._subscriptions.keep(self._gateway.people.logins.is_known)
                return
            except ZchatError as error:
                log.info("%s cannot be watched for now: %s", id_, error)
                await asyncio.sleep(wait)
                wait = min(2 * wait, RETRY[1])
                continue
            await _Watch(person, self._is_wanted, self._tell, self._wait).run()
            if person.over:  # until they come in again: a moderator may have sent them away
                self._subscriptions.keep(self._gateway.people.logins.is_known)
                return

    def _is_wanted(self, person: Person) -> bool | None:
        """Say whether somebody is to be told now; None: never again."""
        if not self._subscriptions.of(person.id):
            return None
        return not self._gateway.households.is_seen(person.id)

    async def _tell(self, person: Person, notice: Notice) -> None:
        for login, subscription in self._subscriptions.of(person.id).items():
            known = self._gateway.people.logins.is_known(login)
            if not known or await self._push.send(subscription, notice) is Outcome.GONE:
                self._subscriptions.put(login, "", None)


class _Watch:
    """What calls one person, until it is told or read."""

    def __init__(
        self,
        person: Person,
        wanted: Callable[[Person], bool | None],
        tell: Callable[[Person, Notice], Any],
        wait: float,
    ) -> None:
        self._person, self._wanted, self._tell, self._wait = person, wanted, tell, wait
        self._waiting: dict[str, m.Message] = {}  # the newest of each place
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Return when there is nobody to be told any more, or no session."""
        feed = self._person.attach()
        telling = asyncio.create_task(self._tell_all())
        try:
            while self._wanted(self._person) is not None and (batch := await feed.next()) is not None:
                for event, _ in batch:
                    if isinstance(event, m.Message) and self._calls(event):
                        self._waiting[_key(event, self._person.id)] = event
                        self._news.set()
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
            self._person.detach(feed)

    async def _tell_all(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            await asyncio.sleep(self._wait)
            found, self._waiting = self._waiting, {}
            if not self._wanted(self._person):
                continue
            unread = [(key, event) for key, event in found.items() if not self._is_read(event)]
            for key, event in unread[-AT_MOST:]:
                await self._tell(self._person, notice_of(key, event))
            if unread:
                await asyncio.sleep(3 * self._wait)

    def _calls(self, event: m.Message) -> bool:
        if event.from_ == self._person.id or event.kind == "notice":
            return False
        return event.room is None or mentions(event.text, self._person.client.nick or "")

    def _is_read(self, event: m.Message) -> bool:
        marks = self._person.client.read_marks
        if event.room is not None:
            return marks.through(room=event.room) >= event.seq
        return marks.through(to=event.nick, with_=event.from_) >= event.seq


def notice_of(key: str, event: m.Message) -> Notice:
    """Return what is told of a message: who called, and where; nothing of what was said."""
    body = "wrote to you" if event.room is None else f"called you in {_shown(event.room)}"
    return Notice(event.nick, body, key, key, event.seq, f"/{key}/{event.seq}")


def _shown(room: str) -> str:
    return room if room.startswith("+") else f"#{room}"


def _key(event: m.Message, me: str) -> str:
    """Return by which name the page knows a place."""
    if event.room is not None:
        return f"room/{event.room}"
    return f"with/{event.with_ if event.from_ == me else event.from_}"
