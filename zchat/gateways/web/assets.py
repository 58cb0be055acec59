"""The page's own files, out of the package. Everything is served from here; no third party is asked for anything.

Their names stay the same from one version to the next, so browsers ask each time whether they have changed (ETag).

Scripts and styles are minified once, when the server starts, so that the package has them as they were written. The
library for it is one of Go's, as a shared object: where that is not at home (no Linux, musl, another processor) they
are served without their comments.
"""

import contextlib
import gzip
import hashlib
import platform
import re
from collections.abc import Iterable
from importlib import resources
from importlib.resources.abc import Traversable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
    "ico": "image/x-icon",
    "webmanifest": "application/manifest+json",
    "woff2": "font/woff2",
}
AT_ROOT = ("manifest.webmanifest", "worker.js")  # a service worker has power over what lies beside it
_COMMENT = re.compile(rb"^[ \t]*(?://[^\n]*|/\*(?:(?!\*/).)*\*/[ \t]*)\n", re.MULTILINE | re.DOTALL)
# Behind code, where it cannot be within a text: what follows has no quote that would end one.
_BEHIND = re.compile(rb"(?<=[;,{}()\[\]])[ \t]+// [^\n\"'`]*$", re.MULTILINE)
SMALLEST = 1_024  # bytes that are worth compressing


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


def small(name: str, content: bytes) -> bytes:
    """Return a file of the page as it is sent: who wants to read it has it here."""
    if not name.endswith((".js", ".css")):
        return content
    if platform.libc_ver()[0] == "glibc":
        with contextlib.suppress(ImportError, OSError, ValueError):
            import minify  # noqa: PLC0415

            return str(minify.string(TYPES[name.rpartition(".")[2]].partition(";")[0], content.decode())).encode()
    return bare(name, content)


def bare(name: str, content: bytes) -> bytes:
    """Return a script or a style without its comments."""
    content = _COMMENT.sub(b"", content)
    return _BEHIND.sub(b"", content) if name.endswith(".js") else content


def routes() -> list[Route]:
    """Return a route for each file, and the addresses of all places, which are the same page."""
    assets = {
        name: Asset(name, small(name, file.read_bytes()))
        for name, file in _files(resources.files(__package__) / "page")
    }
    at_root = {f"/{name}": assets.pop(name) for name in AT_ROOT if name in assets}
    page = assets.pop("index.html", None)
    pages = dict.fromkeys(("/", "/room/{rest:path}", "/with/{rest:path}"), page) if page else {}
    paths = at_root | {f"/assets/{name}": asset for name, asset in assets.items()} | pages
    return [Route(path, asset.answer) for path, asset in paths.items()]


def _files(folder: Traversable, within: str = "") -> Iterable[tuple[str, Traversable]]:
    for each in folder.iterdir():
        if each.is_dir():
            yield from _files(each, f"{within}{each.name}/")
        elif each.name.rpartition(".")[2] in TYPES:
            yield f"{within}{each.name}", each
