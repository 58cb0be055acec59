"""Plain commands that wait for an answer, matched by `ref`: the user's, and those of the session itself.

A question that the broker defers (`rate_limited`, `unavailable`) is asked again when its time has come. In a new
session the user's questions are asked again, and the broker is told again which rooms were left. The session's own
questions are dropped, since it starts over with them.
"""

from collections import deque
from enum import Enum, auto
from typing import Any

from msgspec import structs

from zchat.protocol import messages as m
from zchat.protocol import wire

RETRYABLE = frozenset(("rate_limited", "unavailable"))  # refusals that time heals
UNHEARD_MOST = 3  # times that a question was for a session that is gone, and then it is the question that is at fault
RETRY_LEAST = 0.05  # seconds: also a broker that says "at once" gets a pause


class Purpose(Enum):
    """Who the answer is for: the user, or one of the tasks of the session itself."""

    USER = auto()
    PART = auto()  # a room that is left: told until the broker has heard it
    JOIN = auto()  # and the history that follows
    FILL = auto()  # what is missing of a room
    DIRECT = auto()  # what is missing of a conversation
    WHO = auto()
    SYNC = auto()  # a pong that tells the last number accepted
    NICK = auto()  # the nick that was chosen while a hello with another was on its way


QUERIES_MAX = 16  # questions read from the log and not answered yet: the broker lets few wait


_ANSWERS: dict[type[m.Command], tuple[type[m.Reply], ...]] = {
    m.Ping: (m.Pong,),
    m.Join: (m.Joined, m.History),
    m.Part: (m.Parted,),
    m.SetNick: (m.Renamed,),
    m.Away: (m.Ok,),
    m.Who: (m.Roster,),
    m.ListRooms: (m.Rooms,),
    m.AskHistory: (m.History,),
    m.Search: (m.Found,),
    m.AskMentions: (m.Found,),
    m.AskScheduled: (m.Scheduled,),
    m.Put: (m.Have,),
    m.Get: (m.FilePart,),
    m.AskStatus: (m.Status,),
    m.Kick: (m.Ok,),
    m.AskMembers: (m.Members,),
    m.AskAudit: (m.Audit,),
}


class Question:
    __slots__ = ("about", "command", "deadline", "due", "key", "purpose", "ref", "sent", "unheard")

    def __init__(self, ref: int, command: m.Command, purpose: Purpose, about: str, key: Any) -> None:
        self.ref, self.command, self.purpose = ref, structs.replace(command, ref=ref), purpose
        self.about, self.key = about, key
        self.due = 0.0
        self.sent: float | None = None
        self.deadline: float | None = None
        self.unheard = 0  # how often there was no session any more when the broker got it


class Questions:
    """All that is open: `put` queues a question, `next_lines` are sent, `find` tells what a reply is about."""

    def __init__(self) -> None:
        self._open: dict[int, Question] = {}
        self._queue: deque[Question] = deque()
        self._queries: deque[Question] = deque()  # the same, of those that the broker answers from its log
        self._reading: set[int] = set()  # of these, the ones that are sent
        self._deferred: list[Question] = []
        self._last = 0

    def __len__(self) -> int:
        return len(self._queue) + min(len(self._queries), QUERIES_MAX - len(self._reading))

    def ref(self) -> int:
        self._last += 1
        return self._last

    def put(
        self, command: m.Command, purpose: Purpose, now: float, *, about: str = "", key: Any = None, due: float = 0.0
    ) -> Question:
        """Ask, now or when it is `due`."""
        question = Question(self.ref(), command, purpose, about, key)
        question.due = due
        self._open[question.ref] = question
        if due > now:
            self._deferred.append(question)
        else:
            self._enqueue(question)
        return question

    def next_lines(self, count: int, now: float) -> list[bytes]:
        """Return the next lines to send, at most `count`."""
        sent = [self._queue.popleft() for _ in range(min(count, len(self._queue)))]
        while self._queries and len(sent) < count and len(self._reading) < QUERIES_MAX:
            question = self._queries.popleft()
            if question.ref in self._open:
                self._reading.add(question.ref)
                sent.append(question)
        for question in sent:
            question.sent = now
        return [wire.encode(question.command) for question in sent if question.ref in self._open]

    def find(self, reply: Any) -> Question | None:
        """Return the question that this answers or refuses. What answers another kind of question is no answer."""
        ref = getattr(reply, "ref", None)
        question = self._open.get(ref) if isinstance(ref, int) else None
        if question is None or isinstance(reply, (m.Error, *_ANSWERS.get(type(question.command), (m.Reply,)))):
            return question
        return None

    def close(self, question: Question) -> None:
        """The question is answered, or nobody wants to know any more."""
        self._open.pop(question.ref, None)
        self._reading.discard(question.ref)

    def forgotten(self, question: Question) -> bool:
        """The broker had no session when it got this. Return whether it is given up, so closed: else it is asked again.

        Otherwise a broker that refuses one question like that would have the client say hello for ever.
        """
        question.unheard += 1
        given_up = question.purpose is Purpose.USER and question.unheard >= UNHEARD_MOST
        if given_up:
            self.close(question)
        return given_up

    def cancel(self, purpose: Purpose, about: str) -> None:
        """Nobody wants to know this any more; what is not sent yet never is."""
        for question in [each for each in self._open.values() if (each.purpose, each.about) == (purpose, about)]:
            self.close(question)

    def defer(self, question: Question, due: float) -> None:
        """Ask again at `due`."""
        question.due, question.sent = due, None
        self._reading.discard(question.ref)
        self._deferred.append(question)

    def tick(self, now: float, patience: float) -> list[Question]:
        """Queue what has become due again; return what has had no answer in time, closed.

        Our own questions have no deadline: one unanswered for `patience` seconds got lost, and is asked again.
        """
        for question in self._open.values():
            if question.deadline is None and question.sent is not None and now - question.sent > patience:
                self.defer(question, now)
        due = [question for question in self._deferred if question.due <= now]
        if due:
            self._deferred = [question for question in self._deferred if question.due > now]
            for question in due:
                if question.ref in self._open:
                    self._enqueue(question)
        late = [each for each in self._open.values() if each.deadline is not None and now >= each.deadline]
        for question in late:
            self.close(question)
        return late

    def wait(self, now: float) -> float | None:
        """Return the seconds until `tick` has something to do, None if never."""
        times = [question.due for question in self._deferred]
        times += [question.deadline for question in self._open.values() if question.deadline is not None]
        return max(0.0, min(times) - now) if times else None

    def restart(self) -> None:
        """A new session begins: what it does not ask by itself is queued again, the rest is dropped."""
        kept = (Purpose.USER, Purpose.PART)
        self._open = {ref: each for ref, each in self._open.items() if each.purpose in kept}
        self._deferred = []
        self._reading.clear()
        self._queue.clear()
        self._queries.clear()
        for question in self._open.values():
            question.sent = None
            self._enqueue(question)

    def log_went_back(self, shared: int) -> None:
        """What is in the log above `shared` is unknown: let a question for later events begin there."""
        for question in self._open.values():
            command = question.command
            if isinstance(command, m.AskHistory | m.AskAudit) and command.after is not None and command.after > shared:
                question.command = structs.replace(command, after=shared)

    def keys(self) -> list[Any]:
        return [question.key for question in self._open.values() if question.key is not None]

    def _enqueue(self, question: Question) -> None:
        command = question.command
        reads = isinstance(command, m.AskHistory | m.Search | m.AskMentions | m.AskAudit) or (
            isinstance(command, m.Join) and (command.after is not None or command.backlog is not None)
        )
        (self._queries if reads else self._queue).append(question)
