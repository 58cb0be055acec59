"""Files of messages, up and down: what a browser sends becomes an attachment, and what it shows comes from the broker.

An upload is written to a file of its own as it comes, since the broker wants its hash first; the file is gone
afterwards, whatever happens. A download goes through part by part: it is in no file here, and a few parts of it are in
memory. Its hash is known only at its end, so the last part is sent only if the whole is right, and else the connection
breaks off.

Only pictures are shown by the browser itself, and which those are is told by their first bytes, not by who sent them.
Everything else is to be saved. And a sandbox keeps what is opened nevertheless from being a page of ours.
"""

import asyncio
import hashlib
import re
import secrets
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast
from urllib.parse import quote
from weakref import WeakKeyDictionary

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from zchat import files
from zchat.client.files import PART, harmless
from zchat.errors import RefusedError, SignedOutError, ZchatError
from zchat.gateways.people.person import Person
from zchat.protocol import messages as m

from .gateway import Gateway
from .guard import refused
from .uploads import Places
from .wording import failed

CHUNK_WAIT = 60.0  # seconds for the next bytes of an upload
SLOWEST = 8 * 1024  # bytes a second of an upload, after the first minute: it takes a place from others
STORED = (60.0, 256 * 1024)  # seconds for the broker to take a file, and bytes a second beyond that
GETS_OF_ONE = 6  # parts that are asked for at once: the broker lets 8 of a session wait
ASK_WAIT = 30.0  # seconds for a part
SEQ = re.compile(r"[0-9]{1,18}")  # a number without an end would take Python's patience
FILE = re.compile(r"[0-9a-f]{64}")
RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
SANDBOX = "sandbox; default-src 'none'; img-src 'self'; style-src 'unsafe-inline'"
PICTURES = (  # what they begin with, and of which type they are
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image/webp"),
    (re.compile(rb"....ftypavi[fs]", re.DOTALL), "image/avif"),
)


class Files:
    """`PUT /files` and `GET /files/SEQ/HASH/NAME`. `folder` is for what comes up, and emptied at the start."""

    def __init__(self, gateway: Gateway, folder: Path) -> None:
        self._gateway, self._folder = gateway, folder
        self._uploads = Places()
        self._gets: WeakKeyDictionary[Person, asyncio.Semaphore] = WeakKeyDictionary()
        shutil.rmtree(folder, ignore_errors=True)
        files.folder(folder)

    async def put(self, request: Request) -> Response:
        """Take a file, and answer with what a message says of it."""
        try:
            person = await self._person(request)
            attachment = await self._take(request, person)
        except (TimeoutError, ClientDisconnect):
            return refused("timeout", "Nothing came of the file for a while.", 408)
        except ZchatError as error:
            return failed(error)
        return Response(msgspec.json.encode(attachment), 201, media_type="application/json")

    async def get(self, request: Request) -> Response:
        """Send a file, or a part of it."""
        file = request.path_params["file"]
        if not SEQ.fullmatch(request.path_params["seq"]) or not FILE.fullmatch(file):
            return refused("bad_file", "There is no such file.", 404)
        try:
            person = await self._person(request)
            first = await self._part(person, file, 0, PART)
        except ZchatError as error:
            return failed(error)
        headers = _headers(file, request.path_params["name"], first.data)
        if headers["etag"] in request.headers.get("if-none-match", ""):
            return Response(None, 304, headers)
        begin, end = _range(request.headers.get("range", ""), first.size)
        if begin > end:
            return Response(None, 416, headers | {"content-range": f"bytes */{first.size}"})
        whole = (begin, end) == (0, first.size)
        if not whole:
            headers["content-range"] = f"bytes {begin}-{end - 1}/{first.size}"
        body = self._whole(person, file, first) if whole else self._some(person, file, begin, end)
        status = 200 if whole else 206
        return StreamingResponse(body, status, headers | {"content-length": str(end - begin)})

    # -- up

    async def _take(self, request: Request, person: Person) -> m.Attachment:
        most = person.client.welcome.limits.file if person.client.welcome else 0
        told = request.headers.get("content-length", "0")
        if not told.isdigit() or int(told) > most:
            raise RefusedError("too_long", f"a file has at most {most // 2**20} MiB here")
        # a nick costs a guest nothing
        guest = person.kind == "guest"
        whose = f"guests of {request.scope['address']}" if guest else person.id
        aside = self._folder / secrets.token_hex(8)
        async with self._uploads.take(whose, guest=guest):
            person.hold()
            try:
                files.folder(aside)
                path = aside / harmless(request.query_params.get("name", ""))
                size = await _write(request, path, most)
                return await _store(person, path, STORED[0] + size / STORED[1])
            finally:
                person.release()
                shutil.rmtree(aside, ignore_errors=True)

    # -- down

    async def _whole(self, person: Person, file: str, first: m.FilePart) -> AsyncIterator[bytes]:
        """Yield all of a file; what it ends with only if the whole is what it has to be."""
        sum_, held, done = hashlib.sha256(), b"", 0
        async for data in self._parts(person, file, first, first.size):
            if held:
                yield held
            sum_.update(data)
            done += len(data)
            held = data
        if sum_.hexdigest() != file or done != first.size:
            raise ConnectionError(f"the file {file} is damaged")  # the browser gets less than it was told of
        yield held

    async def _some(self, person: Person, file: str, begin: int, end: int) -> AsyncIterator[bytes]:
        first = await self._part(person, file, begin, min(PART, end - begin))
        async for data in self._parts(person, file, first, end):
            yield data

    async def _parts(self, person: Person, file: str, first: m.FilePart, end: int) -> AsyncIterator[bytes]:
        """Yield the parts through `end`; the next one is asked for while one is sent."""
        part = first
        while True:
            done = part.offset + len(part.data)
            following = None
            if part.data and done < end:
                following = asyncio.ensure_future(self._part(person, file, done, min(PART, end - done)))
            try:
                yield part.data
                if following is None:
                    return
                part = await following
            finally:
                if following is not None:
                    following.cancel()

    async def _part(self, person: Person, file: str, offset: int, limit: int) -> m.FilePart:
        gets = self._gets.setdefault(person, asyncio.Semaphore(GETS_OF_ONE))
        async with gets:
            return cast(m.FilePart, await person.client.ask(m.Get(file=file, offset=offset, limit=limit), ASK_WAIT))

    async def _person(self, request: Request) -> Person:
        if (token := self._gateway.token(request)) is None:
            raise SignedOutError
        return await self._gateway.people.login(token)


async def _store(person: Person, path: Path, wait: float) -> m.Attachment:
    """Give a file to the broker. Raises RefusedError, so that no place is held as long as the broker is away."""
    try:
        async with asyncio.timeout(wait):
            return await person.client.files.upload(path)
    except TimeoutError:
        raise RefusedError("unavailable", "the broker does not answer, so the file was not taken: try again") from None


async def _write(request: Request, path: Path, most: int) -> int:
    """Write what a browser sends into a file, as it comes; return its size.

    Raises RefusedError, TimeoutError, ClientDisconnect.
    """
    size, chunks, begun = 0, request.stream(), time.monotonic()
    with files.new(path) as file:
        while True:
            async with asyncio.timeout(CHUNK_WAIT):
                chunk = await anext(chunks, None)
            if chunk is None:
                return size
            size += len(chunk)
            if size > most:
                raise RefusedError("too_long", f"a file has at most {most // 2**20} MiB here")
            if time.monotonic() - begun > CHUNK_WAIT + size / SLOWEST:
                raise TimeoutError
            file.write(chunk)


def _headers(file: str, name: str, beginning: bytes) -> dict[str, str]:
    picture = next((type_ for starts, type_ in PICTURES if starts.match(beginning)), None)
    how = "inline" if picture else "attachment"
    return {
        "content-type": picture or "application/octet-stream",
        "content-disposition": f"{how}; filename*=UTF-8''{quote(harmless(name), safe='')}",
        "content-security-policy": SANDBOX,
        "cache-control": "private, no-cache",  # it may be kept, and each time it is asked whether one still may have it
        "accept-ranges": "bytes",
        "etag": f'"{file[:32]}"',
    }


def _range(text: str, size: int) -> tuple[int, int]:
    """Return where to begin and to end; all of it if no range is asked for, or several; begin > end: there is none."""
    found = RANGE.fullmatch(text)
    if found is None or found[0] == "bytes=-":
        return 0, size
    if not found[1]:
        begin = max(0, size - int(found[2]))
        return (begin, size) if begin < size else (1, 0)
    begin, end = int(found[1]), int(found[2]) + 1 if found[2] else size
    return (begin, min(end, size)) if begin < size and begin < end else (1, 0)
