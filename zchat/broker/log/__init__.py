"""The log: `interface` defines what a broker needs of a log.

`local` is a log that a single broker orders, `stream` one that several share, with what a broker posts to it
(`posting`) and what shows that logs are the same (`hashes`). `stored` is what both have in memory.
"""

from .interface import Log, Settled, SharedLog
from .local import LocalLog
from .stream import StreamLog

__all__ = ["LocalLog", "Log", "Settled", "SharedLog", "StreamLog"]
