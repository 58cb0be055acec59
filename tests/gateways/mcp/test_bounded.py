"""What an agent tries in order to see, or to say something, where it was not let in; and how much it may say."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError

from tests.gateways.mcp.hosts import Host, Refused, agent
from zchat.bots.bot import Bot
from zchat.client.addresses import Address
from zchat.client.client import ChatClient
from zchat.testing import Chat

PUBLIC, SECRET = "the general secret", "the secret of ops"


async def test_a_message_elsewhere_is_not_there(chat: Chat, audit: Path) -> None:
    alice = await chat.person("alice", "general", "ops")
    await alice.says(PUBLIC, room="general")
    secret = await alice.says(SECRET, room="ops")
    answer = await alice.client.say("an answer", room="ops", reply_to=secret.seq)
    async with agent(chat, audit=audit) as host:
        tries: list[tuple[str, dict[str, Any]]] = [
            ("reply", {"seq": secret.seq, "text": "hi", "key": "1"}),
            ("react", {"seq": secret.seq, "emoji": "👀"}),
            ("read", {"thread": secret.seq}),
            ("read", {"thread": answer.seq}),
            ("wait_for", {"what": "reply", "seq": secret.seq, "seconds": 0}),
            ("ask_human", {"seq": secret.seq, "seconds": 0}),
        ]
        for tool, arguments in tries:
            refused = await host.refusal(tool, **arguments)
            assert (refused.code, SECRET in str(refused)) == ("unknown_message", False), tool
        nowhere = await host.refusal("reply", seq=secret.seq + 1_000, text="hi", key="2")
        elsewhere = await host.refusal("reply", seq=secret.seq, text="hi", key="2")
        assert str(nowhere).replace(str(secret.seq + 1_000), "N") == str(elsewhere).replace(str(secret.seq), "N")
        page = await chat.observer.history(room="ops")
        assert [type(each).__name__ for each in page.events] == ["Message", "Message"], "nothing was done there"


async def test_a_room_that_was_not_given_is_refused_however_it_is_written(chat: Chat, audit: Path) -> None:
    alice = await chat.person("alice", "ops")
    await alice.says(SECRET)
    tries: list[tuple[str, dict[str, Any]]] = [
        ("read", {}),
        ("say", {"text": "hi", "key": "1"}),
        ("search", {"text": "secret"}),
        ("ask_human", {"question": "hi?", "key": "2", "seconds": 0}),
        ("wait_for", {"what": "any", "seconds": 0}),
    ]
    async with agent(chat, audit=audit) as host:
        for room in ("ops", "#ops", "OPS", " ops", "ops ", "ｏｐｓ", "@alice", "general,ops", "*"):
            for tool, arguments in tries:
                refused = await host.refusal(tool, room=room, **arguments)
                assert refused.code in {"not_allowed", "bad_room"}, (tool, room)
        assert len((await chat.observer.history(room="ops")).events) == 1


async def test_a_search_finds_nothing_elsewhere_nor_tells_that_there_is_any(chat: Chat, audit: Path) -> None:
    alice = await chat.person("alice")
    await alice.client.say(PUBLIC, room="general")
    for number in range(3):
        await alice.client.say(f"{SECRET} {number}", room="ops")
    await alice.client.say(SECRET, to="alice")
    async with agent(chat, audit=audit) as host:
        for text in (
            "secret",
            "secret room:ops",
            '"secret"',
            "secret OR ops",
            "sec*",
            "room:ops secret",
            "secret NEAR ops",
        ):
            found = await host.call("search", text=text, limit=1)
            assert [each["text"] for each in found["messages"]] in ([], [PUBLIC]), text
            assert "more" not in found, "nor how many there are"
        assert await host.texts("search", text="secret", nick="alice", before=10**6) == [PUBLIC]


async def test_a_resource_elsewhere_is_not_there(chat: Chat, audit: Path) -> None:
    alice = await chat.person("alice", "ops")
    secret = (await alice.says(SECRET)).seq
    uris = (
        "zchat://room/ops", "zchat://room/%6Fps", "zchat://room/general/../ops", "zchat://room/general%2F..%2Fops",
        "zchat://room/OPS", "zchat://room/@alice", f"zchat://thread/{secret}", f"zchat://thread/0{secret}",
        "zchat://thread/-1", "zchat://thread/x", "file:///etc/passwd", "zchat://room/",
    )  # fmt: skip
    async with agent(chat, audit=audit) as host:
        for uri in uris:
            with pytest.raises(MCPError) as refused:
                await host.client.read_resource(uri)
            assert SECRET not in str(refused.value), uri


async def test_what_happens_elsewhere_is_not_waited_for(chat: Chat, audit: Path) -> None:
    alice = await chat.person("alice", "general", "ops")
    async with agent(chat, audit=audit) as host:
        start = (await host.call("rooms"))["rooms"][0].get("cursor") or (await host.call("read", room="general"))[
            "cursor"
        ]
        await alice.says("helper: in ops", room="ops")
        await alice.says("helper: alone", to="helper")
        heard = await host.call("wait_for", what="mention", since=start, seconds=0)
        assert (heard["messages"], heard["timed_out"]) == ([], True)
        await alice.says("helper: here", room="general")
        assert await host.texts("wait_for", what="any", since=heard["cursor"]) == ["helper: here"]
        assert await host.texts("wait_for", what="any", since=start) == ["helper: here"]


async def test_one_person_alone_only_where_that_was_allowed(chat: Chat, audit: Path) -> None:
    alice = await chat.person("alice")
    said = await alice.client.say("psst", to="alice")
    async with agent(chat, audit=audit) as host:
        tries: list[tuple[str, dict[str, Any]]] = [
            ("say", {"to": "alice", "text": "hi", "key": "1"}),
            ("read", {"to": "alice"}),
            ("reply", {"to": "alice", "seq": said.seq, "text": "hi", "key": "2"}),
            ("wait_for", {"what": "any", "to": "alice", "seconds": 0}),
            ("ask_human", {"question": "hi?", "key": "3", "to": "alice", "seconds": 0}),
        ]
        for tool, arguments in tries:
            assert "--direct" in str(await host.refusal(tool, **arguments)), tool
        assert await alice.client.history(to="helper") is not None


async def test_with_direct_it_speaks_with_one_person_alone(chat: Chat, audit: Path) -> None:
    alice, bob = await chat.person("alice"), await chat.person("bob")
    async with agent(chat, audit=audit, direct=True) as host:
        hello = await host.call("say", to="alice", text="hello alice", key="1")
        start = (await host.call("read", to="alice"))["cursor"]
        await alice.says("hello helper", to="helper")
        await bob.says("not for helper", to="alice")
        heard = await host.call("wait_for", what="mention", since=start)
        assert [(each["text"], each["nick"]) for each in heard["messages"]] == [("hello helper", "alice")]
        await host.call("reply", to="alice", seq=heard["messages"][0]["seq"], text="how are you?", key="2")
        assert await host.texts("read", to="@alice") == ["hello alice", "hello helper", "how are you?"]
        assert await host.texts("search", text="hello") == ["hello alice", "hello helper"]
        assert (await host.refusal("react", seq=hello["seq"], emoji="👍")).code == "unknown_message"
        await host.call("react", seq=hello["seq"], emoji="👍", to="alice")
        assert (await host.refusal("say", to="nobody", text="hi", key="3")).code == "unknown_nick"


async def test_bots_do_not_answer_bots(chat: Chat, audit: Path) -> None:
    bot = Bot("echo", rooms=["general"])

    @bot.on_message()
    async def answer(ctx: Any) -> str:
        return f"helper: you said {ctx.text}"

    under_test = await chat.bot(bot)
    alice = await chat.person("alice")
    async with agent(chat, audit=audit) as host:
        start = (await host.call("read", room="general"))["cursor"]
        await host.call("say", room="general", text="hello", key="1")
        await under_test.stayed_silent()
        await alice.says("hello")
        said = await under_test.replied("you said hello")
        heard = await host.call("wait_for", what="any", since=start)
        assert [each["nick"] for each in heard["messages"]] == ["alice"]
        assert await host.texts("wait_for", what="mention", since=start, seconds=0) == []
        assert "bots do not answer bots" in str(await host.refusal("reply", seq=said.seq, text="no", key="2"))
    async with agent(chat, audit=audit, bots=True) as told:
        assert await told.texts("wait_for", what="mention", since=start, seconds=0) == ["helper: you said hello"]
        await told.call("reply", seq=said.seq, text="yes", key="3")


async def used_up(host: Host, tool: str, **arguments: Any) -> bool:
    refused = await host.refusal(tool, **arguments)
    assert "Wait " in str(refused)
    return refused.code == "used_up"


async def test_it_says_no_more_in_a_minute_than_it_may(chat: Chat, audit: Path) -> None:
    alice = await chat.person("alice")
    said = await alice.says("hello")
    async with agent(chat, audit=audit, rate=8) as host:
        await host.call("say", room="general", text="one", key="1")
        assert (await host.call("say", room="general", text="one", key="1"))["duplicate"], "that costs nothing"
        await host.call("react", seq=said.seq, emoji="👍")
        assert await used_up(host, "say", room="general", text="two", key="2")
        assert await used_up(host, "reply", seq=said.seq, text="two", key="3")
        assert await used_up(host, "react", seq=said.seq, emoji="👀")
        assert await used_up(host, "ask_human", room="general", question="why?", key="4", seconds=0)
        assert len(await host.texts("read", room="general")) == 2, "it reads as ever"


async def test_it_calls_no_more_than_it_may_and_is_told_when_to_call_again(chat: Chat, audit: Path) -> None:
    await (await chat.person("alice")).says("hello")
    async with agent(chat, audit=audit, rate=1) as host:
        calls = [host.texts("read", room="general") for _ in range(100)]
        resources = [host.client.read_resource("zchat://room/general") for _ in range(100)]
        done = await asyncio.gather(*calls, *resources, return_exceptions=True)
        assert done[:30] == [["hello"]] * 30
        refused = next(each for each in done[:100] if isinstance(each, Refused))
        assert refused.code == "too_often"
        assert "you may call 60 times a minute, and have. Wait 1 s, then call again" in str(refused)
        assert any("may call 60 times a minute" in str(each) for each in done[100:] if isinstance(each, MCPError))
        assert (await host.client.list_tools()).tools, "it may look what there is"
        assert "too_often" in [line.get("code") for line in host.written()]


async def test_a_private_room_is_one_of_its_own_once_it_is_let_in(chat: Chat, audit: Path, tmp_path: Path) -> None:
    alice = await chat.member("alice")
    await alice.client.access.make_private("+lab")
    founder = await chat.member("bob", role="owner")
    code, link = (await founder.client.administration.invite()).code, chat.server.link
    assert link is not None

    def member() -> ChatClient:
        address = Address(link.endpoints, "the chat under test", link.key, code)
        return ChatClient("helper", address, bot=True, identity=tmp_path / "helper.key")

    async with agent(chat, "general", "+lab", audit=audit, connect=member) as host:
        assert (await host.refusal("say", room="+lab", text="hi", key="1")).code == "unknown_room"
        assert await host.texts("search", text="anything") == []
        start = (await host.call("read", room="general"))["cursor"]
        waiting = host.call("wait_for", what="any", since=start)
        await alice.client.access.admit("+lab", "helper")
        await alice.client.say("welcome", room="+lab")
        assert [(each["text"], each["room"]) for each in (await waiting)["messages"]] == [("welcome", "+lab")]
        uri = "zchat://room/%2Blab"
        (content,) = (await host.client.read_resource(uri)).contents
        assert "welcome" in content.text  # type: ignore[union-attr]
