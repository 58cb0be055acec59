"""Team chat over ZeroMQ, for people in terminals and the bots beside them."""

__version__ = "0.1.0"
