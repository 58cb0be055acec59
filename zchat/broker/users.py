"""The users of the broker's machine: which of them run the broker, and what their login names are."""

import os
import pwd
import re
import socket

from zchat.protocol import names


def credential(uid: int, host: str) -> str:
    """Return what the kernel vouches for."""
    return f"uid:{uid}@{host}"


def owners() -> frozenset[str]:
    """Return the credentials of whoever runs the broker: its own user, and root."""
    host = socket.gethostname()
    return frozenset({credential(os.getuid(), host), credential(0, host)})


def login(of: str) -> str:
    """Return the login name of a user of this machine as a nick; "" if there is none, or it is no nick."""
    found = re.match(r"uid:(\d+)@", of)
    try:
        return "" if found is None else names.nick("-".join(pwd.getpwuid(int(found[1])).pw_name.split()))
    except (KeyError, names.BadNameError):
        return ""
