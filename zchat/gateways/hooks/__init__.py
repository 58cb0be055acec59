"""Incoming hooks: what another program POSTs becomes a message in a room.

`payloads/` turns a body into what is said, `signatures.py` tells who sent it, `deliveries.py` which delivery it is, so
that one that is tried again is said once; all three are pure. `book.py` is the file of the hooks, `making.py` makes
one, `speakers.py` holds a session for each bot, and `routes.py` puts it together as a route of a Starlette app.
"""
