"""The servers that are compared, as a table; a file a family.

stream.py     a connection under load, whatever its server
peer.py       what the workloads know of a server
zchat.py forwarder.py nats.py mqtt.py redis.py irc.py
"""

from .forwarder import FORWARDER
from .irc import INSPIRCD, NGIRCD
from .mqtt import MOSQUITTO0, MOSQUITTO1
from .nats import JETSTREAM, NATS
from .peer import Peer
from .redis import REDIS, STREAMS
from .zchat import ZCHAT

PEERS: dict[str, Peer] = {
    peer.key: peer
    for peer in (ZCHAT, FORWARDER, NATS, JETSTREAM, MOSQUITTO0, MOSQUITTO1, REDIS, STREAMS, NGIRCD, INSPIRCD)
}

__all__ = ["PEERS", "Peer"]
