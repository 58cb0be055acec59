"""The one language that clients and brokers speak; pure, and specified in README.md beside this file."""

VERSION = 1
BROKER, FEED = "tcp://127.0.0.1:5555", "tcp://127.0.0.1:5556"  # where a broker is that nobody has moved
