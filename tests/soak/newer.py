"""A broker of a later version: `python -m tests.soak.newer 1 broker …` for the next one, 2 for the one after it.

Older ones do not understand its messages, and it understands theirs. Nothing else is new in it.
"""

import sys
from typing import Any

from zchat.__main__ import main
from zchat.broker.core import cluster


def upgraded(times: int) -> None:
    real: Any = cluster.decode
    own = cluster.VERSION + times

    def decode(payload: bytes) -> cluster.Message | None:
        return real(bytes([own]) + payload[1:])  # type: ignore[no-any-return]

    cluster.VERSION = own
    cluster.decode = decode


if __name__ == "__main__":
    upgraded(int(sys.argv.pop(1)))
    main()
