"""Whether a text calls somebody: by their nick as a whole word, with or without an `@`. Pure; so does the prompt."""

import functools
import re


def mentions(text: str, nick: str) -> bool:
    """Say whether a text calls the one who has this nick."""
    return bool(nick) and _pattern(nick).search(text) is not None


@functools.lru_cache(maxsize=4_096)
def _pattern(nick: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w@/.-])@?{re.escape(nick)}(?![-.]?\w)", re.IGNORECASE)
