"""The width and height of an image, read off the head of its file.

`imagesize` knows the formats. It is given no path, as it would fetch one that begins with `http://`, but a reader that
hands out 128 KiB at most, and then fails. So no large file is read whole, and a hostile one costs about a tenth of a
second. What is no image by its name is not read at all: many a text begins as some format does (`BM`, `P1`, `<?xml`).
"""

import mimetypes
import os

from zchat.protocol import messages as m

READ_MOST = 128 * 1024  # bytes: Exif, which has the orientation, may fill 64 KiB of them
_LATELY = {".avif": "image/avif", ".heic": "image/heic", ".heif": "image/heif", ".webp": "image/webp"}


def media_type(name: str) -> str | None:
    """Return what kind of file this is, by its name. What Python 3.11 does not know by itself is in `_LATELY`."""
    return mimetypes.guess_type(name)[0] or _LATELY.get(os.path.splitext(name)[1].lower())  # noqa: PTH122


def dimensions(descriptor: int, type_: str | None) -> tuple[int, int] | None:
    """Return the width and height of an image as it is shown, in pixels, or None if they cannot be read."""
    if type_ is None or not type_.startswith("image/"):
        return None
    import imagesize  # noqa: PLC0415 — it takes 40 ms, most of it for fetching what it never fetches here

    width, height = imagesize.get(_Head(descriptor))  # (-1, -1) if it cannot read them; an SVG may say infinity
    if not all(1 <= each <= m.PIXELS_MAX for each in (width, height)):
        return None
    return round(width), round(height)


class _Head:
    """A file as `imagesize` reads it: it fails once READ_MOST bytes were read."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._place, self._left = descriptor, 0, READ_MOST

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= self._left:
            raise EOFError
        data = os.pread(self._descriptor, size, self._place)
        self._place += len(data)
        self._left -= max(1, len(data))  # what asks at the end of the file comes to an end, too
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: os.fstat(self._descriptor).st_size}
        self._place = start[whence] + offset
        return self._place
