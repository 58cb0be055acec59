"""Whom a gateway carries: who they are, how they came in, their sessions with the broker. No HTTP and no IRC is here.

`people.py` brings people in and keeps what is known of them, `reaching.py` makes a client for each, `sessions.py`
begins and ends their sessions. `person.py` is one of them with a session, `feed.py` what one connection hears,
`logins.py` by which tokens they are known again, `own_links.py` how the user who runs the gateway comes in, `record.py`
what is on disk of one person.
"""
