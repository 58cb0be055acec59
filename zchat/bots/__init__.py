"""Bots: `bot` is what a program uses, `definition` says what a bot does, `runner` and `handling` do it."""
