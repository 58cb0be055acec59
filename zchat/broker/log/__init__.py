"""The log: `interface` is what a broker needs of one, `local` the form that one broker orders alone."""

from .interface import Log, Settled
from .local import LocalLog

__all__ = ["LocalLog", "Log", "Settled"]
