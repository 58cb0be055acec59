"""For everybody: axe finds nothing serious in the page, whatever it shows, and in whatever looks."""

from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.gateways.web.page.axe import AXE, faults
from tests.gateways.web.page.conftest import WIDE, Tab, Visit, Web, needs_chromium
from tests.integration.raw import Net

pytestmark = [needs_chromium, pytest.mark.skipif(AXE is None, reason="needs axe-core of npm where NODE_PATH has it")]


def busy(others: Net, room: str) -> int:
    """Fill a room with all that a message can be, and return the root of a thread."""
    bob, carol = others.session("bob", room), others.session("carol", room)
    bob.ask("ack", type="topic", n=bob.number(), room=room, text="Release day")
    root = bob.say(
        "Shall **we** release? [notes](https://example.org/notes) `make all`\n\n> quoted\n\n- one\n- two", room=room
    )["seq"]
    carol.say("```python\nprint('yes')\n```", room=room)
    carol.say("waves", room=room, kind="action")
    carol.say("in the thread", room=room, reply_to=root)
    gone = bob.say("taken back", room=room)["seq"]
    bob.ask("ack", type="delete", n=bob.number(), seq=gone)
    edited = bob.say("a typo", room=room)["seq"]
    bob.ask("ack", type="edit", n=bob.number(), seq=edited, text="no typo")
    for emoji in ("👍", "🎉"):
        carol.ask("ack", type="react", n=carol.number(), seq=root, emoji=emoji)
    bob.ask("ack", type="pin", n=bob.number(), seq=root)
    return int(root)


def test_coming_in(browser: Browser, web: Web) -> None:
    context = browser.new_context(viewport=WIDE)
    tab = Tab(context.new_page(), web)
    tab.page.goto(web.url)
    expect(tab.page.get_by_label("Your nick")).to_be_visible()
    assert faults(tab) == []
    context.close()


@pytest.mark.parametrize("looks", ["light", "dark", "phone"])
def test_an_empty_room_a_busy_one_and_a_thread(visit: Visit, room: str, others: Net, looks: str) -> None:
    root = busy(others, room)
    dark: dict[str, Any] = {"color_scheme": "dark"} if looks == "dark" else {}
    alice = visit("alice", f"/room/{room}-empty", phone=looks == "phone", **dark)
    assert faults(alice) == [], "an empty room"
    alice.go(f"/room/{room}")
    alice.see("no typo")
    assert faults(alice) == [], "a busy room"
    alice.page.goto(f"{alice.web.url}/room/{room}?thread={root}")
    expect(alice.page.locator("#thread article").first).to_be_visible()
    assert faults(alice) == [], "a thread"
    if looks == "phone":
        alice.page.goto(alice.web.url)
        expect(alice.page.locator("#side")).to_be_visible()
        assert faults(alice) == [], "the list of rooms"


@pytest.mark.parametrize("looks", ["light", "dark"])
def test_what_opens_over_the_page(visit: Visit, room: str, others: Net, looks: str) -> None:
    busy(others, room)
    alice = visit("alice", f"/room/{room}", color_scheme=looks)
    keys = alice.page.keyboard
    for opens, within, name in (
        ("Control+k", ".finder-option", "the switcher"),
        ("Control+Shift+F", ".finder-option mark", "the search"),
        ("Control+/", ".keys", "the keys"),
    ):
        keys.press(opens)
        if name != "the keys":
            expect(alice.page.get_by_role("combobox")).to_be_focused()
        if name == "the search":
            keys.type("release")
        expect(alice.page.locator(within).first).to_be_visible()
        assert faults(alice) == [], name
        keys.press("Escape")
    alice.page.get_by_role("button", name="Settings").click()
    expect(alice.page.get_by_role("dialog", name="Settings")).to_be_visible()
    assert faults(alice) == [], "the settings"
