"""The protocol between clients and brokers: pure code. README.md beside this file is the specification."""

VERSION = 1
BROKER, FEED = "tcp://127.0.0.1:5555", "tcp://127.0.0.1:5556"  # the default endpoints
FEATURES = ("members", "private")  # what a client that says hello understands
