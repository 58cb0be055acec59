"""The IRC gateway: zchat for those who have their client of IRC.

`core/` is pure: lines, names, capabilities, registration, how events are told. `connection.py` is one connection,
`commands/` what a client asks for, `listening.py` what it hears, `gateway.py` all of them. It carries people by
`zchat/gateways/people/`, and knows of the broker what a client knows.
"""
