"""A broker of a later version: `python -m tests.soak.newer 1 broker …` for the next one, 2 for the one after it.

Older ones do not understand its messages, and it understands theirs. Nothing else is new in it.
"""

import sys

from zchat.__main__ import main
from zchat.broker.core import cluster

if __name__ == "__main__":
    cluster.VERSION = cluster.WRITTEN = cluster.VERSION + int(sys.argv.pop(1))
    main()
