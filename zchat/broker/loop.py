"""The broker's turns in the event loop: what has arrived is a batch for the pipeline, and what comes of it leaves.

asyncio waits for the ROUTER socket, but does not read from it: `zmq.asyncio` would cost a future per message. The
descriptor that libzmq provides is edge-triggered. It signals once that *something* happened, and any send or receive
may consume that signal. So after each batch, and after each send outside of a batch, we ask the socket again whether it
is readable.
"""

import asyncio
import logging
import time
from collections.abc import Callable

import zmq

from zchat.errors import ClusterError, LostLogError

from .cluster.driver import Driver
from .core.entries import Retire
from .counting import SIZES, Spread
from .inlet import Inlet
from .outlet import Outlet
from .pipeline import Pipeline
from .reads import QueryService

LAST_BATCHES = 2.0  # s for which a stopping broker processes what has arrived

log = logging.getLogger(__name__)


class Loop:
    """Moves what arrives through a pipeline until `stopping` is set; that of a cluster has a `driver`."""

    def __init__(
        self,
        router: "zmq.Socket[bytes]",
        inlet: Inlet,
        pipeline: Pipeline,
        outlet: Outlet,
        reads: QueryService,
        driver: Driver | None,
        stopping: asyncio.Event,
    ) -> None:
        self._router, self._inlet, self._pipeline, self._outlet = router, inlet, pipeline, outlet
        self._reads, self._driver, self._stopping = reads, driver, stopping
        self.afterwards: list[Callable[[], None]] = []  # what begins once the output of a batch was sent
        self.took = Spread()  # seconds from a batch to all that came of it
        self.frames = Spread(SIZES)  # in a batch
        self._lost: LostLogError | ClusterError | None = None  # why the broker has to stop
        self._pull_due = False
        pipeline.on_commit = self._committed

    async def run(self) -> None:
        """Process what arrives until it is to stop, then what has arrived. Raises LostLogError, ClusterError."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._router.fileno(), self._pull)
        try:
            self.look_again()
            await self._stopping.wait()
        finally:
            loop.remove_reader(self._router.fileno())
        ends = time.monotonic() + LAST_BATCHES  # clients that go on sending do not delay the stop
        while time.monotonic() < ends and (batch := self._inlet.drain()):
            self._take(batch)
        if self._driver is not None:
            await self._driver.settled(LAST_BATCHES)
        self._pipeline.give_up()
        self.flush()
        self._pipeline.report()
        if self._lost is not None:
            raise self._lost

    def look_again(self) -> None:
        """If something waits to be read, process it in the next turn."""
        if not (self._pull_due or self._stopping.is_set()) and self._inlet.readable():
            self._pull_due = True
            asyncio.get_running_loop().call_soon(self._pull)

    def _pull(self) -> None:
        """Process one batch. If there is more, schedule another one, so that other tasks run in between."""
        self._pull_due = False
        try:
            if batch := self._inlet.drain():
                self._take(batch)
        except Exception:
            log.exception("a batch failed")
        self.look_again()

    def _take(self, batch: list[tuple[bytes, bytes]]) -> None:
        began = time.monotonic()
        self._pipeline.begin(batch, began, time.time())
        self.flush()
        ended = time.monotonic()
        self._reads.busy(began, ended)
        self.frames.add(len(batch))
        self.took.add(ended - began)
        if isinstance(self._pipeline.log.trouble, LostLogError):
            self.stop_for(self._pipeline.log.trouble)

    def retire(self, retire: Retire) -> None:
        """Hand a step of retention to the log."""
        began = time.monotonic()
        self._pipeline.change(retire, time.time())
        self.flush()
        self._reads.busy(began, time.monotonic())

    def flush(self) -> None:
        """Send the output of the pipeline, and begin what it was asked for."""
        self._outlet.flush()
        for begin in self.afterwards:
            begin()

    def send_all(self) -> None:
        """Send the output of the pipeline, outside of a batch."""
        self.flush()
        self.look_again()

    def _committed(self) -> None:
        """Something was carried out after its `begin`: send what came of it, with all of the same transaction."""
        if self._driver is None or not self._driver.applying:
            self.send_all()

    def stop_for(self, lost: LostLogError | ClusterError) -> None:
        """Stop the broker: what it would acknowledge from now on would be lost, or is not to be had."""
        if self._lost is None:
            log.critical("%s", lost)
        self._lost = lost
        self._stopping.set()
