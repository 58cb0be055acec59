"""Several brokers share a log, and one of them cannot go on with the others."""

from pathlib import Path

from .base import ZchatError


class ClusterError(ZchatError):
    """Several brokers share a log, and something between them is wrong."""

    exit_code = 69


class EngineError(ClusterError):
    """The engine that keeps the stream does not answer."""

    def __init__(self, where: str, why: str) -> None:
        self.where, self.why = where, why
        super().__init__(
            f"the cluster's engine at {where} does not answer ({why}). "
            "What is said waits; see `zchat cluster status`, and start the nodes that are down."
        )


class LostStreamError(ClusterError):
    """The stream is gone, began anew, or ends before what was applied here: nothing is written to it."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(
            f"the cluster's stream is not the one that this log was made from: {why}. Nothing is written to it, and "
            "nothing that was acknowledged is lost. Run `zchat cluster restore`, which makes a new one from the logs."
        )


class RestartError(ClusterError):
    """There is a stream with which this broker can go on, once it has started again."""

    exit_code = 75

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(f"This broker has to start again: {why}. Nothing that was acknowledged is lost.")


class OtherLogError(ClusterError):
    """The log in the folder is none of this cluster's."""

    def __init__(self, folder: Path, why: str) -> None:
        self.folder, self.why = folder, why
        super().__init__(
            f"The log in {folder} is none of this cluster's: {why}. Nothing was changed. Move it aside to take "
            "part, or start the broker alone with it."
        )


class NamesakeError(ClusterError):
    """Another process takes part as the broker `name`."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"another process takes part in the cluster as broker {name}, so this one stops. Each has a folder of "
            "its own: does this one run already, or was it copied to two machines?"
        )


class OtherTablesError(ClusterError):
    """Another broker judges names by other tables: `own` here, `others` there."""

    def __init__(self, broker: str, others: str, own: str) -> None:
        self.broker, self.others, self.own = broker, others, own
        super().__init__(
            f"Broker {broker} judges names by {others}, and this one by {own}: one would take a nick that the other "
            "refuses. Run all brokers with the same Python and libraries; to change them, stop all first."
        )


class WrongClockError(ClusterError):
    """The clocks of most other brokers are `ahead` seconds ahead of this one (behind it, if that is below 0)."""

    def __init__(self, ahead: float) -> None:
        self.ahead = ahead
        hours = f"{abs(ahead) / 3600:,.1f} hours {'behind' if ahead > 0 else 'ahead of'}"
        super().__init__(
            f"The clock of this machine is {hours} those of most other brokers, and what is said would have its times "
            "in the log for good: this broker stops, alone. Set the clock, and start it again."
        )


class NoStreamError(ClusterError):
    """There is no stream, and nobody has told this broker to make one."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(f"The cluster has no stream: {why}.")


class DivergedError(ClusterError):
    """The log here and that of another broker are not the same."""

    def __init__(self, broker: str, seq: int) -> None:
        self.broker, self.seq = broker, seq
        super().__init__(
            f"this log and that of broker {broker} are not the same after message {seq} of the stream, so this broker "
            "stops. Ask `zchat cluster status` which one the others agree with, move the folder of the data of the "
            "other one aside, and start it again: it takes a copy."
        )


class NewerMessageError(ClusterError):
    """The stream has a message that only a newer zchat understands."""

    def __init__(self, version: int, seq: int) -> None:
        self.version, self.seq = version, seq
        super().__init__(
            f"message {seq} of the cluster's stream has version {version}, which this zchat does not understand, so "
            "this broker stops. Nothing is lost: install the version that the other brokers have, and start it again."
        )
