"""The protocol between clients and brokers: pure code. README.md beside this file is the specification."""

VERSION = 1
BROKER = "tcp://127.0.0.1:5555"  # the default endpoint; its feed has the next port
FEATURES = ("members", "private")  # what a client that says hello understands
