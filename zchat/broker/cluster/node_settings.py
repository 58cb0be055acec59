"""nats.conf, as a node of a cluster is started with it: made anew at each start, from the folder of the machine.

What matters is `sync_interval: always`: a message counts as kept when a majority of the nodes has it on disk, not in
the memory of their kernels. And `verify`: nobody comes in without a certificate of the cluster, neither as a node nor
as a broker. So there are no secrets to be said. That a name and a password stand here has another reason: NATS keeps
what is asked about the nodes themselves apart from the rest, and by the name one says which of the two one means.
"""

from .folder import AUTHORITY, CERTIFICATE, KEY, Folder, at, listens

CONF, LOG, STREAM = "nats.conf", "node.log", "stream"
LOG_MAX, LOGS_KEPT = 5 * 1024 * 1024, 3
PAYLOAD_MAX = 1024 * 1024  # bytes of a message: a post has 512 KiB at most, and pieces of a copy as much
CONNECTIONS_MAX = 1_000  # each broker has one, and whoever asks for the status
SYSTEM = "system"  # the name, and the password, of who asks about the nodes

# who says nothing is a broker: a key, since it takes no other password here than one that can be read, and warns of it
_BROKER = "UD7D3ZV2GKQCYBRC22QPAFUSYWJDW4AE5K3WQBYKU2XLLBKMEYQESNLZ"
_SYSTEM = "$2b$04$odhc.p/67fMaXBJngKdzauzkw74SgQr9rQ5mYE6wRLSJtUWvqqhHi"

_TLS = f"""tls {{
    ca_file: "{AUTHORITY}", cert_file: "{CERTIFICATE}", key_file: "{KEY}"
    verify: true, min_version: "1.3", timeout: 5
  }}"""


def text(folder: Folder) -> str:
    """Return the content of nats.conf. Its paths are meant from the folder, in which the node runs."""
    me, where = folder.me, listens(folder.me.host)
    routes = ", ".join(f'"nats-route://{at(each.host, each.routes)}"' for each in folder.others)
    return f"""# Made by zchat at each start of the node, from cluster.json: changes are lost.
server_name: "{me.name}"
listen: "{at(where, me.node)}"
client_advertise: "{at(me.host, me.node)}"
max_payload: {PAYLOAD_MAX}
max_connections: {CONNECTIONS_MAX}
write_deadline: "5s"
logfile_size_limit: {LOG_MAX}
logfile_max_num: {LOGS_KEPT}
  {_TLS}
accounts {{
  CHAT {{ jetstream: enabled, users: [{{ nkey: {_BROKER} }}] }}
  SYS {{ users: [{{ user: "{SYSTEM}", password: "{_SYSTEM}" }}] }}
}}
system_account: SYS
no_auth_user: {_BROKER}
jetstream {{ store_dir: "{STREAM}", sync_interval: always, max_memory_store: 64MB }}
""" + (_cluster(folder, where, routes) if routes else "")


def _cluster(folder: Folder, where: str, routes: str) -> str:
    me = folder.me
    return f"""cluster {{
  name: "{folder.nats}"
  listen: "{at(where, me.routes)}"
  cluster_advertise: "{at(me.host, me.routes)}"
  routes: [{routes}]
  {_TLS}
}}
"""
