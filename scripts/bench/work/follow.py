"""How fast a client follows a flooded room."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from board import DRAIN, RUN, Board, Worker, new_board, wait, workers
from server import Meter, rss
from window import WARM_UP, Options, Result, cores, mib, per

from work.standin import stand_in


@dataclass(frozen=True)
class Follow:
    """A client follows a room that a stand-in for the broker floods at the client's own pace."""

    client: Callable[[Board, str], Result]
    text: int = 64

    def run(self, options: Options) -> Result:
        """Measure one client."""
        board = new_board()
        server = Worker(stand_in, board, self.text)
        with workers(server):
            wait(lambda: board.port > 0, "the stand-in", (server,))
            client = Worker(self.client, board, f"tcp://127.0.0.1:{board.port}")
            with workers(client):
                both = (server, client)
                wait(lambda: board.ready == 1, "the client", both)
                board.phase = RUN
                wait(lambda: board.seen > 0, "the first event", both)
                time.sleep(WARM_UP)
                meter, seen = Meter(client=[board.pid], load=[server.pid]), board.seen
                time.sleep(options.seconds)
                used, seen, size = meter.stop(), board.seen - seen, rss(board.pid)
                board.phase = DRAIN
                ended = {**client.result(60), **server.result(60)}
        rate = {"events_per_s": round(seen / used["seconds"]), "client_cpu_us_per_event": per(used["client"], seen)}
        return {**ended, "publisher": "stand-in", **rate, **cores(used), "client_rss_mib": mib(size)}
