"""The public id of a client."""

import hashlib


def public_id(client: str) -> str:
    """Return the id of a client, a guest's `from`. It is a hash, so that the public id does not reveal the secret."""
    return hashlib.sha256(client.encode()).hexdigest()[:16]
