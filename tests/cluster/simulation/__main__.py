"""Tell many stories, on all cores: `python -m tests.cluster.simulation FIRST COUNT`. Prints those that do not hold."""

import logging
import multiprocessing
import sys
import time
import traceback

from tests.cluster.simulation.world import World

STEPS, NOTED = 150, 500  # of a story; stories between two lines of output


def told(seed: int) -> str | None:
    """Tell a story; return what went wrong, None if it holds."""
    logging.disable()  # people make mistakes by the thousand
    try:
        World(seed).run(steps=STEPS)
    except Exception:  # noqa: BLE001 — it is printed
        return f"story {seed}: {traceback.format_exc()}"
    return None


def main(first: int, count: int) -> int:
    """Return how many did not hold."""
    began, failed = time.monotonic(), 0
    with multiprocessing.Pool(maxtasksperchild=NOTED) as pool:
        for number, wrong in enumerate(pool.imap(told, range(first, first + count)), 1):
            if wrong is not None:
                failed += 1
                sys.stdout.write(wrong)
            if number % NOTED == 0 or number == count:
                sys.stdout.write(f"{number} stories, {failed} do not hold, {time.monotonic() - began:.0f} s\n")
                sys.stdout.flush()
    return failed


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])) > 0)
