"""A gateway of a soak: the real `zchat web` or `zchat irc`, and its own way to the broker.

Beside a broker that is alone it goes through two proxies of its own, which stand before those of the network: so what
strikes the network strikes it, too, and it can be cut off alone. That of IRC comes by the door for keys, where
members are; that of the page by the one for guests. In a cluster it knows all brokers by a link.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.soak.broker import HOST, free_port
from tests.soak.process import Process
from tests.soak.proxy import Proxy
from zchat.protocol import links

READY = {"web": "page", "irc": ""}  # what each prints when it is ready: who comes too early tries again
DOORS = {"web": ("router", "feed"), "irc": ("keyed router", "keyed feed")}  # of a broker that is alone
CARRIES = {"pages": "web", "ircs": "irc"}  # by kind of people


class Gateway(Process):
    """`zchat` is what begins it; people come to `port`."""

    def __init__(self, name: str, zchat: Sequence[str], folder: Path, env: dict[str, str]) -> None:
        self.name, self.port = name, free_port()
        self.proxies: dict[str, Proxy] = {}
        folders = ("--data", str(folder / "gateways"), "--log-dir", str(folder / f"log-{name}"))
        command = (*zchat, name, "--listen", f"{HOST}:{self.port}", *folders)
        super().__init__(command, folder / f"{name}.stderr", env, READY[name])

    async def begin(self, network: Mapping[str, Proxy], link: str) -> None:
        """Let it be started, once it is known how it reaches the broker: through the network, else by the link."""
        broker = link
        if network:
            for door in DOORS[self.name]:
                self.proxies[door] = Proxy(network[door].port)
                await self.proxies[door].start()
            router, feed = (proxy.port for proxy in self.proxies.values())
            keyed = links.BrokerLink(((HOST, router),), links.parse(link).key).text
            broker = f"tcp://{HOST}:{router}" if self.name == "web" else keyed
            self.command += ("--feed", f"tcp://{HOST}:{feed}")
        self.command += ("--broker", broker)
        self.release()

    async def close(self) -> None:
        """Close its way to the broker."""
        for proxy in self.proxies.values():
            await proxy.close()

    def heal(self) -> None:
        """Set everything right."""
        for proxy in self.proxies.values():
            proxy.heal()
        self.go_on()
        self.release()
