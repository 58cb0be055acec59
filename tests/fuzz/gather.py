"""What of the inputs found is worth keeping in the repository: those that go where none that is there goes, cut short.

Where an input goes is the set of its steps from line to line in `zchat/`. The shortest inputs are looked at first, so
a long one stays only for what it alone reaches; then lines and steps are taken out of it as long as it still does.
"""

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import zchat

Way = set[tuple[str, int, int]]
ROOT = str(Path(zchat.__file__).parent)


def way(check: Callable[[bytes], None], data: bytes) -> Way:
    """Return the steps from line to line that an input takes."""
    steps: Way = set()

    def enter(frame: FrameType, event: str, argument: Any) -> Any:
        if not frame.f_code.co_filename.startswith(ROOT):
            return None
        file, last = frame.f_code.co_filename[len(ROOT) :], 0

        def follow(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal last
            steps.add((file, last, frame.f_lineno))
            last = frame.f_lineno
            return follow

        return follow

    sys.settrace(enter)
    try:
        check(data)
    finally:
        sys.settrace(None)
    return steps


def shorten(data: bytes, separator: bytes, still: Callable[[bytes], bool]) -> bytes:
    """Take out whatever parts of an input can be missed."""
    parts = data.split(separator)
    at = 0
    while at < len(parts):
        fewer = parts[:at] + parts[at + 1 :]
        if fewer and still(separator.join(fewer)):
            parts = fewer
        else:
            at += 1
    return separator.join(parts)


def gather(check: Callable[[bytes], None], found: list[bytes], into: Path, separators: list[bytes]) -> int:
    """Add to a corpus what goes further than it does; return how many were added."""
    known: Way = set()
    for file in sorted(into.iterdir()):
        known |= way(check, file.read_bytes())
    added = 0
    for data in sorted(set(found), key=len):
        new = way(check, data) - known
        if not new:
            continue
        short = data
        for separator in separators:
            short = shorten(short, separator, lambda fewer, new=new: new <= way(check, fewer))  # type: ignore[misc]
        known |= way(check, short)
        (into / hashlib.sha256(short).hexdigest()[:12]).write_bytes(short)
        added += 1
    return added
