"""The one language that clients and brokers speak; pure, and specified in README.md beside this file."""

VERSION = 1
