"""What is installed only for several brokers: the extra `cluster`."""

from importlib import import_module

from zchat.errors import UsageError


class MissingExtraError(UsageError):
    """A library of the extra `cluster` is not installed."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"Several brokers need {what}, which is not installed: pip install 'zchat-zmq[cluster]'.")


def need(library: str, called: str = "") -> None:
    """Raise MissingExtraError unless a library can be imported; `called` is its name for pip, if that differs."""
    try:
        import_module(library)
    except ImportError:
        raise MissingExtraError(called or library) from None
