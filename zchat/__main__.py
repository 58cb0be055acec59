"""`zchat`, and `python -m zchat`."""

import os
import sys

from zchat.cli import run


def main() -> None:
    """Run the command line and exit with its code."""
    for name, mode in {"stdin": "r", "stdout": "w", "stderr": "w"}.items():
        if getattr(sys, name) is None:  # it was closed by who started us
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115, PTH123 — as long as the process
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
