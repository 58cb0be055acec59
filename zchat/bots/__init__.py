"""Bots: `bot` is what a program uses, `runner` acts, `commands`, `progress` and `context` say what it means."""
