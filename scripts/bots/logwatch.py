"""Watches a log file and says the lines that matter: LOGWATCH_FILE=/var/log/app.log zchat bot run logwatch.py.

How far it has read is stored together with what it says, so a line is said exactly once, also over a
restart of the bot. A file that was rotated (another inode, or shorter than before) is read from its beginning.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from zchat import Bot

MOST = 10  # lines said at a time: a flood in the log is none in the chat
CHUNK = 256 * 1024  # bytes read at a time


@dataclass
class Settings:
    file: str
    pattern: str = r"(?i)\b(error|critical|fatal|panic)\b"
    every: float = 1.0


bot = Bot("logwatch")
settings = bot.settings(Settings)


@bot.every(seconds=settings.every)
def look(ctx):
    ctx.once()
    try:
        with Path(settings.file).open("rb") as log:
            inode, size = os.fstat(log.fileno()).st_ino, os.fstat(log.fileno()).st_size
            known = ctx.store.get("place")
            if known is None:  # the first run: what was there is no news
                ctx.store["place"] = [inode, size]
                return
            start = known[1] if known[0] == inode and known[1] <= size else 0
            log.seek(start)
            read = log.read(CHUNK)
    except FileNotFoundError:
        return  # between two logs
    whole = read[: read.rfind(b"\n") + 1] or (read if len(read) == CHUNK else b"")
    if not whole and start == known[1]:
        return
    ctx.store["place"] = [inode, start + len(whole)]
    found = [line for line in whole.decode(errors="replace").splitlines() if re.search(settings.pattern, line)]
    if found:
        more = f"\n… and {len(found) - MOST} more" if len(found) > MOST else ""
        ctx.say("\n".join(line[:500] for line in found[:MOST]) + more, kind="notice")


if __name__ == "__main__":
    bot.run()
