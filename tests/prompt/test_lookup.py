"""What was said before is shown as what is said now."""

from tests.client.real import on_loop, serving
from zchat import ChatClient
from zchat.prompt.asker import Asker
from zchat.prompt.chat import Chat
from zchat.prompt.conversation import take
from zchat.prompt.output import Output
from zchat.prompt.plain import PlainView
from zchat.prompt.preferences import Preferences
from zchat.prompt.render import Style


@on_loop
async def test_history_does_not_show_whom_one_ignores() -> None:
    async with serving() as server, ChatClient("alice", server.listen) as alice:
        shown: list[str] = []
        output = Output(shown.append, shown.append, Style(), Preferences(ignore=("Bob",)))
        asker = Asker(alice)
        chat = Chat(alice, output, asker, PlainView(alice, output, asker))
        await chat.enter("dev")
        for nick in ("bob", "carol"):
            async with ChatClient(nick, server.listen) as other:
                await other.say(f"{nick} was here", room="dev")
        await take("/history 10", chat)
        assert "carol was here" in shown[-1]
        assert "bob was here" not in shown[-1]
