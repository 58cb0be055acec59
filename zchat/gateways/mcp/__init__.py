"""`zchat mcp`: agents as bounded participants, over the Model Context Protocol.

    host ── stdio.py or http.py ── server.py ── tools.py ── reading.py speaking.py waiting.py ── session.py ── broker

An agent is a bot with a nick, in the rooms that it was given, at a rate of its own (`bounds.py`). What
people wrote reaches it as data that says so (`marking.py`), and what it did is written down before it is done
(`audit.py`).
"""
