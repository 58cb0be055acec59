"""What is installed only for a part of zchat: the extras of pyproject.toml, and the sentence where one is missing.

A library of an extra is imported where it is needed and nowhere else, so the rest starts fast and works without it.
"""

from importlib import import_module

from zchat.errors import UsageError

NEEDED_BY = {
    "cluster": "Several brokers need",
    "irc": "Clients of IRC need",
    "mcp": "Agents need",
    "metrics": "Numbers for Prometheus need",
    "post": "--post needs",
    "web": "The page and hooks need",
}
CALLED = {  # for pip, where that is not the name under which it is imported
    "OpenSSL": "pyopenssl",
    "markdown_it": "markdown-it-py",
    "minify": "tdewolff-minify",
    "nats": "nats-py",
    "prometheus_client": "prometheus-client",
    "py_vapid": "py-vapid",
    "python_multipart": "python-multipart",
}


class MissingExtraError(UsageError):
    """A library or a program of an extra is not installed."""

    def __init__(self, extra: str, what: str) -> None:
        self.extra, self.what = extra, CALLED.get(what, what)
        super().__init__(f"{NEEDED_BY[extra]} {self.what}, which is not installed: pip install 'zchat-zmq[{extra}]'.")


def need(extra: str, *libraries: str) -> None:
    """Raise MissingExtraError unless all libraries can be imported, under these names."""
    for library in libraries:
        try:
            import_module(library)
        except ImportError:
            raise MissingExtraError(extra, library) from None
