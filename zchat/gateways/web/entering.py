"""Coming in, and leaving: a code or a nick becomes a cookie that no script reads and no other site's page sends."""

import asyncio
import logging

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from zchat.errors import RefusedError, ZchatError
from zchat.gateways.people.logins import KEPT

from .gateway import Gateway
from .guard import refused
from .wording import failed, sentence

BODY_MAX = 4_096
BODY_WAIT = 10.0  # seconds
log = logging.getLogger(__name__)

NICK_NEEDED = "you come by an invitation: choose a nick"


class ComingIn(msgspec.Struct):
    """What a page sends to come in: a code, or a nick for a guest, or both for somebody who is new."""

    code: str | None = None
    nick: str | None = None


class Leaving(msgspec.Struct):
    """What a page sends to leave: whether it is the others that are to be out."""

    others: bool = False


class Entering:
    """`GET /in`, `POST /in` and `POST /out`."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def ask(self, request: Request) -> Response:
        """Tell whether this browser is in and as whom, and whether guests are let in; or that the broker is away."""
        inside = (token := self._gateway.token(request)) is not None
        who = {} if token is None else self._gateway.who(token)
        try:
            guests = await self._gateway.people.takes_guests()
            away = {}
        except ZchatError as error:  # the broker is away
            guests, away = False, {"away": sentence(error)}
        response = JSONResponse({"guests": guests, "in": inside, **who, **away})
        if token is not None:  # it is kept as long as it is used
            self._set_cookie(response, token)
        return response

    async def come_in(self, request: Request) -> Response:
        """Bring somebody in."""
        if not self._gateway.may_come_in(request):
            return refused("rate_limited", "Too many tries from your address. Wait a minute.", 429)
        try:
            coming = msgspec.json.decode(await body(request, BODY_MAX), type=ComingIn)
        except (ValueError, RecursionError):
            return refused("bad_json", "The body is not what is asked for.", 400)
        try:
            token = await self._token(coming, _browser(request))
        except RefusedError as error:
            wants_nick = error.code == "bad_nick" and not coming.nick
            if not wants_nick:
                log.info("somebody at %s did not come in: %s", request.scope["address"], sentence(error))
            return failed(RefusedError("nick_needed", NICK_NEEDED) if wants_nick else error)
        except ZchatError as error:
            log.warning("somebody at %s could not come in: %s", request.scope["address"], error)
            return failed(error)
        log.info("%s came in at %s", self._gateway.who(token).get("nick", "somebody"), request.scope["address"])
        response = JSONResponse({"ok": True})
        self._set_cookie(response, token)
        return response

    async def leave(self, request: Request) -> Response:
        """End this browser's login; or, with `others`, all others of the same person."""
        try:
            leaving = msgspec.json.decode(await body(request, BODY_MAX), type=Leaving)
        except (ValueError, RecursionError):
            return refused("bad_json", "The body is not what is asked for.", 400)
        token = self._gateway.token(request)
        if leaving.others and token is not None:
            self._gateway.leave_others(token)
            return JSONResponse({"ok": True})
        if token is not None:
            await self._gateway.leave(token)
        response = JSONResponse({"ok": True})
        response.delete_cookie(self._gateway.site.cookie, secure=self._gateway.site.secure, httponly=True)
        return response

    async def _token(self, coming: ComingIn, browser: str) -> str:
        people = self._gateway.people
        if coming.code:
            return (await people.redeem(coming.code, coming.nick or None, name=browser))[1]
        if coming.nick:
            return (await people.guest(coming.nick, name=browser))[1]
        raise RefusedError("bad_nick", "choose a nick")

    def _set_cookie(self, response: Response, token: str) -> None:
        site = self._gateway.site
        response.set_cookie(
            site.cookie, token, max_age=int(KEPT), path="/", secure=site.secure, httponly=True, samesite="strict"
        )


async def body(request: Request, most: int) -> bytes:
    """Return the body of a request. Raises ValueError for one that is too long, comes too slowly, or breaks off."""
    found = bytearray()
    try:
        async with asyncio.timeout(BODY_WAIT):
            async for chunk in request.stream():
                found += chunk
                if len(found) > most:
                    raise ValueError("it is too long")
    except TimeoutError:
        raise ValueError("it came too slowly") from None
    except ClientDisconnect:
        raise ValueError("it broke off") from None
    return bytes(found)


def _browser(request: Request) -> str:
    """Return what a browser calls itself, for the list of logins."""
    return request.headers.get("user-agent", "")[:200]
