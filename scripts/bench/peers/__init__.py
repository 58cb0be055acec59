"""The servers that are compared, as a table; a file a family.

stream.py     a connection under load, whatever its server
peer.py       what the workloads know of a server
zchat.py members.py (over CURVE) forwarder.py nats.py mqtt.py redis.py irc.py
"""

from .forwarder import FORWARDER, FORWARDER_CURVE
from .irc import INSPIRCD, INSPIRCD_TLS, NGIRCD, NGIRCD_TLS
from .members import ZCHAT_CURVE, ZCHAT_PRIVATE
from .mqtt import MOSQUITTO0, MOSQUITTO0_TLS, MOSQUITTO1, MOSQUITTO1_TLS
from .nats import JETSTREAM, JETSTREAM_TLS, NATS, NATS_TLS
from .peer import Peer
from .redis import REDIS, STREAMS
from .zchat import ZCHAT

OPEN = (ZCHAT, FORWARDER, NATS, JETSTREAM, MOSQUITTO0, MOSQUITTO1, REDIS, STREAMS, NGIRCD, INSPIRCD)
CURVE = (ZCHAT_CURVE, ZCHAT_PRIVATE, FORWARDER_CURVE)
TLS = (NATS_TLS, JETSTREAM_TLS, MOSQUITTO0_TLS, MOSQUITTO1_TLS, NGIRCD_TLS, INSPIRCD_TLS)
PEERS: dict[str, Peer] = {peer.key: peer for peer in (*OPEN, *CURVE, *TLS)}

__all__ = ["PEERS", "Peer"]
