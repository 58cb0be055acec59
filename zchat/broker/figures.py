"""What a broker has counted, and what is there now, under the names that Prometheus gets.

The counters lie with what counts (`counting.py` says why). This puts them together when somebody asks: what is to be
looked up takes some microseconds. What each means, and how it is told, is a table (`zchat/exposition.py`).
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from zchat.protocol import messages as m

from .answering import Answering
from .cluster.driver import Driver
from .connections import Connections
from .core.hub import Hub
from .counting import Spread
from .files import FileService
from .gate import Gate
from .inlet import Inlet
from .outlet import Outlet
from .pipeline import Pipeline
from .store import Store


@dataclass
class Figures:
    """Where the numbers of a broker are."""

    data: Path | None
    driver: Driver | None
    hub: Hub
    pipeline: Pipeline
    store: Store
    files: FileService
    inlet: Inlet
    outlet: Outlet
    answering: Answering
    connections: Connections
    gate: Gate
    frames: Spread
    took: Spread

    def told(self) -> dict[str, m.Figure]:
        """Return the numbers as they are now, by their names."""
        return {**self._passed(), **self._taken(), **self._there(), **self._replicas()}

    def _passed(self) -> dict[str, m.Figure]:
        """What has passed the sockets and the log since the start."""
        greeting, pipeline = self.hub.greeting, self.pipeline
        return {
            "zchat_messages_total": greeting.stored_before + greeting.stored,
            "zchat_received_lines_total": self.inlet.lines,
            "zchat_received_bytes_total": self.inlet.bytes,
            "zchat_published_lines_total": self.outlet.published,
            "zchat_deliveries_total": self.outlet.delivered,
            "zchat_sent_lines_total": self.outlet.sent,
            "zchat_refused_total": dict(pipeline.refused),
            "zchat_sessions_begun_total": pipeline.begun,
            "zchat_sessions_ended_total": dict(pipeline.ended),
            "zchat_uploaded_bytes_total": self.files.uploaded,
            "zchat_downloaded_bytes_total": self.files.downloaded,
        }

    def _taken(self) -> Mapping[str, m.Figure]:
        """How long things took, and how much came at once."""
        return {
            "zchat_batch_frames": self.frames.told(),
            "zchat_batch_seconds": self.took.told(),
            "zchat_commit_seconds": self.store.commits.told(),
            "zchat_answer_seconds": self.answering.took.told(),
        }

    def _there(self) -> dict[str, m.Figure]:
        """What is there now."""
        found: dict[str, m.Figure] = {
            "zchat_connections": {"commands": self.connections.count, "feed": self.gate.subscribers.count},
            "zchat_members": len(self.hub.members.members),
            "zchat_queue_length": {
                "commands": self.pipeline.held,
                "questions": self.pipeline.asking,
                "files": self.files.waiting,
            },
            "zchat_unread_bytes": self.connections.waiting,
            "zchat_files": self.files.folder.count,
            "zchat_files_bytes": self.files.folder.bytes,
            "zchat_uploads": len(self.files.shelf.unfinished),
        }
        if self.data is not None:
            found["zchat_disk_free_bytes"] = shutil.disk_usage(self.data).free
        return found

    def _replicas(self) -> dict[str, m.Figure]:
        if self.driver is None:
            return {}
        replicas = self.driver.replicas()
        return {
            "zchat_replica_up": {name: int(up) for name, (up, _) in replicas.items()},
            "zchat_replica_lag": {name: lag for name, (_, lag) in replicas.items() if lag is not None},
        }
