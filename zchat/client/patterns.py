"""Regular expressions held against what strangers write: none may take longer than its deadline.

`re` cannot be stopped, and holds the interpreter's lock: forty letters against `(a|aa)+$` are seconds in which a bot
hears no signal and loses its place. `regex` reads the same expressions and has a deadline, in processor time, so
that a busy machine makes nobody miss a message. A message for which an expression takes too long does not match it.
"""

import logging
import re

import regex

DEADLINE = 0.1  # s of processor time for one text: a usual expression takes some microseconds

_FLAGS = {re.I: regex.I, re.M: regex.M, re.S: regex.S, re.X: regex.X, re.A: regex.A}

log = logging.getLogger(__name__)

Match = regex.Match[str]


class BadPatternError(ValueError):
    """What was given is no regular expression; its text tells why."""


class Pattern:
    """A regular expression, as text or as `re` has compiled it. Raises BadPatternError."""

    def __init__(self, pattern: "str | re.Pattern[str]") -> None:
        text, flags = (pattern, 0) if isinstance(pattern, str) else (pattern.pattern, pattern.flags)
        self.text = text
        self._late = False
        try:
            self._compiled = regex.compile(text, sum(ours for theirs, ours in _FLAGS.items() if flags & theirs))
        except regex.error as error:
            raise BadPatternError(str(error)) from None

    def search(self, text: str) -> "Match | None":
        """Find the expression in a text; None also when that took too long, which is told once."""
        try:
            return self._compiled.search(text, timeout=DEADLINE)
        except TimeoutError:
            if not self._late:
                log.warning(
                    "the pattern %r took more than %g s for a message, which counts as not matching: "
                    "what is repeated within something repeated should not be able to match in two ways",
                    self.text,
                    DEADLINE,
                )
            self._late = True
            return None
