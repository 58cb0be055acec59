"""The tools, as an agent sees them: a table, and the functions that it names.

What an agent may not do is not offered at all. The docstrings and the descriptions of the arguments are what its model
reads of a tool, so they say how to use it, and nothing of how it works.
"""

import functools
import inspect
import secrets
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal, NamedTuple

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp_types import CallToolResult, TextContent, ToolAnnotations
from pydantic import Field

from zchat.errors import ZchatError

from . import faults, meant, shapes
from .bounds import Right
from .faults import NotAllowedError
from .reading import Place, Reader
from .session import Agent
from .speaking import Speaker
from .waiting import SECONDS_MAX, Progress, Waiter

InRoom = Annotated[str | None, Field(description="The name of one of your rooms.")]
To = Annotated[str | None, Field(description="The nick of one person, to speak with them alone, if you may.")]
ToOf = Annotated[str | None, Field(description="If the message is of a conversation with one person: their nick.")]
Since = Annotated[str | None, Field(description="The cursor of an earlier answer: only what came behind it.")]
Before = Annotated[int | None, Field(ge=1, description="A `seq`: only what is older than this message.")]
Seq = Annotated[int, Field(ge=1, le=2**53 - 1, description="The `seq` of the message.")]
Limit = Annotated[int, Field(ge=1, le=200, description="How many messages at most.")]
Seconds = Annotated[
    float, Field(ge=0, le=SECONDS_MAX, description="How long to wait. Call again to wait for longer than that.")
]
Key = Annotated[
    str,
    Field(
        min_length=1, max_length=200,
        description="Your own name for this one message, new for each. Called again with the same key and text, it is "
        "said once: so repeat the call if you do not know whether it worked.",
    ),
]  # fmt: skip
Text = Annotated[str, Field(min_length=1, description="What to say, as Markdown; it may have several lines.")]

Read = Annotated[CallToolResult, shapes.Messages]
Result = Awaitable[CallToolResult]


class Tools:
    """The functions behind the tools of one agent."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self.reader = Reader(agent)
        self._speaker = Speaker(agent, self.reader)
        self._waiter = Waiter(agent, self.reader, self._speaker)

    async def rooms(self) -> Annotated[CallToolResult, shapes.Rooms]:
        """Who you are in this chat, what you may do, your rooms, and who is there now."""
        found = await self.reader.rooms()
        headline = f"You are {found.nick} ({found.role}). You may: {', '.join(found.may)}."
        return _result(found, headline, [shapes.line(room) for room in found.rooms])

    async def read(
        self,
        room: InRoom = None,
        to: To = None,
        thread: Annotated[int | None, Field(ge=1, description="A `seq`: only this message and its answers.")] = None,
        since: Since = None,
        before: Before = None,
        limit: Limit = 50,
    ) -> Read:
        """Read messages as they are now, the oldest first: the newest ones of a room, or those behind a cursor.

        Of a thread, `room` need not be told. Keep the `cursor` of the answer: as `since` it brings what is new.
        """
        if since is not None and before is not None:
            raise NotAllowedError("Give either `since`, for what is newer, or `before`, for what is older.")
        place = await self.reader.thread(thread, to) if thread and not room else self.reader.place(room, to)
        found = await self.reader.read(place, since, before, thread, limit)
        return _read(found, f"{_count(found.messages)} in {place}; cursor {found.cursor}; more: {found.more}.")

    async def search(
        self,
        text: Annotated[str, Field(max_length=1024, description='Words; "several in quotes" stand together; begin*.')],
        room: InRoom = None,
        nick: Annotated[str | None, Field(description="Only what was said under this nick.")] = None,
        before: Before = None,
        limit: Limit = 20,
    ) -> Annotated[CallToolResult, shapes.Found]:
        """Search your rooms for messages that hold all of these words now: the newest of them, the oldest first.

        A message that was edited counts as new as its last edit.
        """
        found = await self.reader.search(text, room, nick, before, limit)
        older = f"; there are older ones, before={found.before}" if found.before is not None else ""
        return _read(found, f"{_count(found.messages)} found{older}.")

    async def say(
        self, text: Text, key: Key, room: InRoom = None, to: To = None
    ) -> Annotated[CallToolResult, shapes.Done]:
        """Say something in a room. When this returns without an error, it is stored, and everybody there sees it."""
        place = self.reader.place(room, to)
        return _done(await self._speaker.say(place, text, key), f"said in {place}")

    async def reply(self, seq: Seq, text: Text, key: Key, to: ToOf = None) -> Annotated[CallToolResult, shapes.Done]:
        """Answer a message, where it was said. The answer is shown with it, and belongs to its thread."""
        return _done(await self._speaker.reply(seq, text, key, to), f"said as an answer to {seq}")

    async def react(
        self,
        seq: Seq,
        emoji: Annotated[
            str, Field(min_length=1, max_length=64, description="One emoji, as 👍, or its name, as :tada:.")
        ],
        off: Annotated[bool, Field(description="Take it back.")] = False,
        to: ToOf = None,
    ) -> Annotated[CallToolResult, shapes.Done]:
        """React to a message with an emoji: for what needs no words, as that you have seen it."""
        return _done(await self._speaker.react(seq, emoji, off, to), f"{'taken off' if off else 'reacted to'} {seq}")

    async def wait_for(
        self,
        ctx: Context,
        what: Annotated[
            Literal["reply", "mention", "any"],
            Field(description="An answer to the message `seq`; your nick; or whatever a person says."),
        ],
        room: Annotated[str | None, Field(description="Only in this room; else in all of yours.")] = None,
        to: To = None,
        seq: Annotated[int | None, Field(ge=1, description="For `reply`: the message that is to be answered.")] = None,
        since: Annotated[
            str | None,
            Field(description="The cursor of an earlier answer, so that nothing said since is missed; else from now."),
        ] = None,
        seconds: Seconds = 60,
    ) -> Annotated[CallToolResult, shapes.Heard]:
        """Wait until a person says something that is meant: at once, if it was said behind the cursor already.

        What bots say is not told. If the time is over, call again with `since`=cursor: nothing is missed.
        """
        after = await self.reader.since(since)
        place: Place | None = None
        if what == "reply":
            if seq is None:
                raise NotAllowedError("To wait for a reply, say which message it is to answer: `seq`.")
            place, _ = await self.reader.find(seq, to)
            wanted, after = meant.reply(seq), seq if after is None else after
        else:
            place = self.reader.place(room, to) if room or to else None
            nick = (await self._agent.reached()).nick or ""
            wanted = meant.mention(nick) if what == "mention" else meant.anything
        found = await self._waiter.wait_for(place, wanted, after, seconds, _progress(ctx, seconds))
        return _read(found, f"{_count(found.messages)} came; cursor {found.cursor}.")

    async def ask_human(
        self,
        ctx: Context,
        question: Annotated[str | None, Field(description="What to ask; not needed with `seq`.")] = None,
        key: Annotated[
            str | None,
            Field(max_length=200, description="Your own name for this question, new for each; not needed with `seq`."),
        ] = None,
        room: InRoom = None,
        person: Annotated[str | None, Field(description="The nick of whom to ask in the room; else whoever.")] = None,
        to: To = None,
        seq: Annotated[int | None, Field(ge=1, description="Go on waiting for this earlier question of yours.")] = None,
        seconds: Seconds = 120,
    ) -> Annotated[CallToolResult, shapes.Answered]:
        """Ask the people in a room, or one person, and wait for the answer.

        The answer is a reply, the next message of whom you asked, or one that calls you by your nick. If the time is
        over, call again with the same arguments, or with `seq`: the question is asked once, and the waiting goes on.
        """
        progress = _progress(ctx, seconds)
        if seq is not None:
            found = await self._waiter.go_on(seq, to, person, seconds, progress)
        elif question is None or not key:
            raise NotAllowedError("Give a `question` and a `key`; or `seq`, to go on waiting for one asked before.")
        else:
            place = self.reader.place(room, to)
            found = await self._waiter.ask(place, question, key, person, seconds, progress)
        if found.answer is None:
            return _result(
                found, f"No answer yet to question {found.question}. Call again with seq={found.question}.", []
            )
        return _result(found, f"Question {found.question} was answered.", shapes.lines([found.answer]))


class Tool(NamedTuple):
    """A tool: which right it needs, and what a host is told of it."""

    name: str
    right: Right
    title: str
    reads: bool = False


TOOLS = (
    Tool("rooms", "read", "Your rooms, and who is there", reads=True),
    Tool("read", "read", "Read messages", reads=True),
    Tool("search", "read", "Search messages", reads=True),
    Tool("wait_for", "read", "Wait for a message", reads=True),
    Tool("say", "say", "Say something"),
    Tool("reply", "say", "Answer a message"),
    Tool("react", "react", "React to a message"),
    Tool("ask_human", "ask", "Ask people, and wait for the answer"),
)


def add(server: MCPServer[Any], tools: Tools, may: frozenset[Right]) -> None:
    """Offer the tools that the agent may use."""
    for tool in TOOLS:
        if tool.right in may:
            function = getattr(tools, tool.name)
            hints = ToolAnnotations(
                title=tool.title, read_only_hint=tool.reads, destructive_hint=False, idempotent_hint=True,
                open_world_hint=True,
            )  # fmt: skip
            about = inspect.cleandoc(function.__doc__)
            server.add_tool(_told(function), tool.name, tool.title, about, hints)


def _told(function: Callable[..., Result]) -> Callable[..., Result]:
    """Return a tool whose errors are told as sentences, with their code."""

    @functools.wraps(function)
    async def tool(*args: Any, **arguments: Any) -> CallToolResult:
        try:
            return await function(*args, **arguments)
        except ZchatError as error:
            text = TextContent(type="text", text=faults.sentence(error))
            return CallToolResult(content=[text], is_error=True, _meta={"zchat/code": faults.code_of(error)})

    return tool


def _progress(ctx: Context[Any, Any], seconds: float) -> Progress:
    async def tell(waited: float) -> None:
        await ctx.report_progress(min(waited, seconds), seconds, "waiting")

    return tell


def _count(messages: list[shapes.Said]) -> str:
    return "no message" if not messages else f"{len(messages)} message{'s' if len(messages) > 1 else ''}"


def _read(found: shapes.Messages | shapes.Found | shapes.Heard, headline: str) -> CallToolResult:
    return _result(found, headline, shapes.lines(found.messages))


def _done(done: shapes.Done, what: str) -> CallToolResult:
    number = "" if done.seq is None else f", as message {done.seq}"
    return _result(done, f"It was {what}{number}{' (before)' if done.duplicate else ''}.", [])


def _result(shape: shapes.Shape, headline: str, data: list[bytes]) -> CallToolResult:
    return shapes.result(shape, headline, data, secrets.token_hex(16))
