"""The page's own files, out of the package. Everything is served from here; no third party is asked for anything.

Their names stay the same from one version to the next, so browsers ask each time whether they have changed (ETag).

Scripts and styles are minified once, when the server starts, so that the package has them as they were written. The
library for it is one of Go's, as a shared object with threads and signal handlers of its own: it works in a process of
its own, which then ends. Where that fails (no wheel for this machine, musl) they are served without their comments.
"""

import asyncio
import gzip
import hashlib
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .emojis import table

TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
    "ico": "image/x-icon",
    "json": "application/json",
    "webmanifest": "application/manifest+json",
    "woff2": "font/woff2",
}
AT_ROOT = ("manifest.webmanifest", "worker.js")  # a service worker has power over what lies beside it
_COMMENT = re.compile(rb"^[ \t]*(?://[^\n]*|/\*(?:(?!\*/).)*\*/[ \t]*)\n", re.MULTILINE | re.DOTALL)
# Behind code, where it cannot be within a text: what follows has no quote that would end one.
_BEHIND = re.compile(rb"(?<=[;,{}()\[\]])[ \t]+// [^\n\"'`]*$", re.MULTILINE)
_MINIFY = "import json, sys, minify; print(json.dumps([minify.string(*each) for each in json.load(sys.stdin)]))"
SMALLEST = 1_024  # bytes that are worth compressing

log = logging.getLogger(__name__)


class Asset:
    """A file of the page, read once."""

    def __init__(self, name: str, content: bytes) -> None:
        self._content, self._packed = content, gzip.compress(content, mtime=0) if len(content) > SMALLEST else None
        etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        self._headers = {
            "content-type": TYPES[name.rpartition(".")[2]],
            "etag": etag,
            "cache-control": "no-cache",
            "vary": "accept-encoding",
        }

    async def answer(self, request: Request) -> Response:
        """Send it, unless the browser has it."""
        if self._headers["etag"] in request.headers.get("if-none-match", ""):
            return Response(None, 304, self._headers)
        if self._packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
            return Response(self._packed, 200, self._headers | {"content-encoding": "gzip"})
        return Response(self._content, 200, self._headers)


def small(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return the files of the page as they are sent, by their names: who wants to read them has them here."""
    code = {name: content.decode() for name, content in files.items() if name.endswith((".js", ".css"))}
    asked = json.dumps([[TYPES[name.rpartition(".")[2]].partition(";")[0], text] for name, text in code.items()])
    try:
        command = [sys.executable, "-Pc", _MINIFY]
        answer = subprocess.run(command, input=asked, capture_output=True, text=True, check=True)  # noqa: S603
        minified = [text.encode() for text in json.loads(answer.stdout)]
    except (OSError, subprocess.CalledProcessError, ValueError) as error:
        log.debug("the page is served without comments, but not minified: %s", error)
        minified = [bare(name, files[name]) for name in code]
    return files | dict(zip(code, minified, strict=True))


def bare(name: str, content: bytes) -> bytes:
    """Return a script or a style without its comments."""
    content = _COMMENT.sub(b"", content)
    return _BEHIND.sub(b"", content) if name.endswith(".js") else content


def routes() -> list[Route]:
    """Return a route for each file, and the addresses of all places, which are the same page."""
    files = {name: file.read_bytes() for name, file in _files(resources.files(__package__) / "page")}
    assets = {name: Asset(name, content) for name, content in small(files).items()}
    at_root = {f"/{name}": assets.pop(name) for name in AT_ROOT if name in assets}
    page = assets.pop("index.html", None)
    pages = dict.fromkeys(("/", "/room/{rest:path}", "/with/{rest:path}"), page) if page else {}
    paths = at_root | {f"/assets/{name}": asset for name, asset in assets.items()} | pages
    return [Route("/assets/emoji.json", _emoji), *(Route(path, asset.answer) for path, asset in paths.items())]


async def _emoji(request: Request) -> Response:
    return await (await asyncio.to_thread(_emoji_made)).answer(request)


@cache
def _emoji_made() -> Asset:
    return Asset("emoji.json", table())


def _files(folder: Traversable, within: str = "") -> Iterable[tuple[str, Traversable]]:
    for each in folder.iterdir():
        if each.is_dir():
            yield from _files(each, f"{within}{each.name}/")
        elif each.name.rpartition(".")[2] in TYPES:
            yield f"{within}{each.name}", each
