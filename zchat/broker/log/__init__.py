"""The log: `interface` defines what a broker needs of a log.

`local` is a log that a single broker orders, `stream` one that several share; `stored` is what both have in memory.
"""

from .interface import Log, Settled, SharedLog
from .local import LocalLog
from .stream import StreamLog

__all__ = ["LocalLog", "Log", "Settled", "SharedLog", "StreamLog"]
