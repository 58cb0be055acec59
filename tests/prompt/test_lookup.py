"""What was said before is shown as what is said now."""

from tests.client.real import on_loop, serving
from zchat import ChatClient
from zchat.prompt.chat import Chat
from zchat.prompt.preferences import Preferences
from zchat.prompt.render import Style


@on_loop
async def test_history_does_not_show_whom_one_ignores() -> None:
    async with serving() as server, ChatClient("alice", server.listen) as alice:
        shown: list[str] = []
        chat = Chat(alice, Style(), shown.append, shown.append, Preferences(ignore=("Bob",)))
        await chat.enter("dev")
        for nick in ("bob", "carol"):
            async with ChatClient(nick, server.listen) as other:
                await other.say(f"{nick} was here", room="dev")
        await chat.take("/history 10")
        assert "carol was here" in shown[-1]
        assert "bob was here" not in shown[-1]
