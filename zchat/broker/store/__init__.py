"""The log on disk, in SQLite. No other part of the broker uses SQLite.

schema.py   the tables, and the migrations from older versions
opening.py  locks the folder, and checks a file before anything is written to it
batch.py    a batch as rows
store.py    the only writer: one transaction per batch
asides.py   what the log keeps beside events: read marks, and what is to be said later
hold.py     the lock on the database file, and the check that it is still in place
retiring.py what has been kept for long enough: finding it, and deleting it
mending.py  what is done to messages, as rows
reader.py   history, on connections of its own
views.py    parts of it: a thread, some kinds of events, messages as they are now
search.py   the search index, in a file of its own
indexing.py what of the log is in it, and how that leaves it again
attached.py which files messages carry
backup.py   a copy of the log while the broker runs
replica.py  what a log that several brokers share has beside its events
"""

from .asides import Asides
from .attached import Attached, files_in
from .backup import backup
from .opening import LOG_FILE
from .reader import Answer, InterruptedReadError, Reader
from .replica import Applied, Replica, Standing, standing
from .retiring import due, last_before, newest, next_step
from .search import BadSearchError, SearchIndex
from .store import Store

__all__ = [
    "LOG_FILE",
    "Answer",
    "Applied",
    "Asides",
    "Attached",
    "BadSearchError",
    "InterruptedReadError",
    "Reader",
    "Replica",
    "SearchIndex",
    "Standing",
    "Store",
    "backup",
    "due",
    "files_in",
    "last_before",
    "newest",
    "next_step",
    "standing",
]
