"""The log on disk: SQLite, and nowhere else in zchat is SQLite spoken to.

schema.py   what the tables are, and how older ones become newer ones
store.py    the one writer: opens, checks and locks the folder; a batch is a transaction
reader.py   history, on connections of its own, beside the writer
search.py   the search index, in a file of its own
backup.py   a copy of the log while the broker runs
"""

from .backup import backup
from .reader import Answer, Reader
from .search import BadSearchError, SearchIndex
from .store import Batch, Run, Store

__all__ = ["Answer", "BadSearchError", "Batch", "Reader", "Run", "SearchIndex", "Store", "backup"]
