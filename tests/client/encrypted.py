"""A script of a broker that is encrypted: a ROUTER and a PUB with CURVE, and a ZAP handler that says who gets in."""

import threading
from typing import Any

import zmq

from tests.client.real import Script
from zchat.protocol import links

ZAP = "inproc://zeromq.zap.01"
CODE = links.encode_code(bytes(range(16)))


class Door(Script):
    """Lets every key in, unless `status` says otherwise: ZAP's code for `router` or `pub`, taken in order.

    `keys` are the credentials that came. A hello is answered with `refusal`, if there is one.
    """

    def __init__(self, **fields: Any) -> None:
        self.public, self.secret = zmq.curve_keypair()
        self.status: dict[str, list[int]] = {"router": [], "pub": []}
        self.keys: list[str] = []
        self.refusal: str | None = None
        super().__init__(**fields)

    @property
    def link(self) -> str:
        """The link to it, without an invitation."""
        return self.link_of("127.0.0.1")

    def link_of(self, *hosts: str, key: bytes | None = None) -> str:
        """Return a link to other hosts (those without a port have its port), or with another key."""
        port = self.listen.rpartition(":")[2]
        where = ",".join(host if ":" in host else f"{host}:{port}" for host in hosts)
        return f"zchat://{where}/{links.encode_key(links.from_z85(key or self.public))}"

    def prepare(self, socket: "zmq.Socket[bytes]") -> None:
        if socket is self.router:
            self._zap = threading.Thread(target=self._admit, args=(self.context.socket(zmq.REP),))
            self._zap_stop = self.context.socket(zmq.PAIR)
            self._zap_stop.bind("inproc://stop")
            self._zap.start()
        socket.curve_server = True
        socket.curve_secretkey = self.secret
        socket.zap_domain = b"router" if socket is self.router else b"pub"

    def _admit(self, zap: "zmq.Socket[bytes]") -> None:
        stop = self.context.socket(zmq.PAIR)
        stop.connect("inproc://stop")
        with zap, stop:
            zap.bind(ZAP)
            poller = zmq.Poller()
            poller.register(zap, zmq.POLLIN)
            poller.register(stop, zmq.POLLIN)
            while stop not in dict(poller.poll()):
                version, request, domain, _, _, _, key = zap.recv_multipart()
                self.keys.append(links.key_text(key))
                wanted = self.status[domain.decode()]
                code = wanted.pop(0) if len(wanted) > 1 else (wanted or [200])[0]
                zap.send_multipart([version, request, b"%d" % code, b"", self.keys[-1].encode(), b""])

    def _take(self, line: dict[str, Any]) -> None:
        if line["type"] == "hello" and self.refusal is not None:
            self.asked.append(line)
            message = "said by the broker"
            self.reply({"type": "error", "ref": line["ref"], "code": self.refusal, "message": message})
        else:
            super()._take(line)

    async def __aexit__(self, *how: object) -> None:
        self._zap_stop.send(b"")
        self._zap.join()
        self._zap_stop.close()
        await super().__aexit__(*how)
