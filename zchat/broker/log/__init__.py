"""The log: `interface` defines what a broker needs of a log; `local` is a log that a single broker orders."""

from .interface import Log, Settled
from .local import LocalLog

__all__ = ["LocalLog", "Log", "Settled"]
