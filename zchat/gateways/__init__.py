"""Gateways: the same rooms from a browser, from IRC, from a webhook, from an agent.

A gateway is a client. It speaks the protocol through `ChatClient`, one session for each person whom it carries, and
knows nothing of the broker's inside. So what zchat promises holds through it, and it may run beside the broker or
elsewhere, die and come back.
"""
