"""What is done to messages, in a browser: editing, deleting, reacting, pinning, answering; and how they look."""

import re
from datetime import UTC, datetime, timedelta

from playwright.sync_api import Locator, expect

from tests.conftest import wait_for
from tests.gateways.web.page.conftest import LASTING, STYLED, Tab, Visit, Visitor, needs_chromium, until
from tests.integration.raw import Net

pytestmark = needs_chromium

# Note each text that something has: what is to be seen for some seconds only may be missed otherwise.
WATCH = """(one) => {
  window.seen = [];
  new MutationObserver(() => window.seen.push(one.textContent)).observe(one, { childList: true });
}"""


def act(tab: Tab, message: Locator, label: str) -> None:
    """Choose something from the menu of a message."""
    tab.press(message, "More")
    tab.page.get_by_role("menuitem", name=label).click()


def test_an_own_message_is_edited_and_everybody_sees_it_marked(visit: Visit, room: str) -> None:
    alice, bob = visit("alice", f"/room/{room}"), visit("bob", f"/room/{room}")
    alice.say("wednesday")
    bob.see("wednesday")
    alice.see("wednesday")
    alice.line.press("ArrowUp")
    expect(alice.line).to_have_value("wednesday")
    alice.line.fill("*thursday*")
    alice.line.press("Enter")
    for tab in (alice, bob):
        expect(tab.messages).to_have_count(1)
        expect(tab.message("thursday").locator("em")).to_have_text("thursday")
        expect(tab.message("thursday").locator(".edited")).to_have_text("(edited)")
    alice.line.press("ArrowUp")
    alice.line.fill("never")
    alice.line.press("Escape")
    expect(alice.line).to_have_value("")
    alice.shows(["thursday (edited)"])


def test_deleting_asks_once_and_leaves_a_stone(visit: Visit, room: str) -> None:
    alice, bob = visit("alice", f"/room/{room}"), visit("bob", f"/room/{room}")
    alice.say("a secret")
    bob.press(bob.see("a secret"), "More")
    expect(bob.page.get_by_role("menuitem", name="Copy link")).to_be_visible()
    expect(bob.page.get_by_role("menuitem", name="Delete")).to_have_count(0)  # a guest's own, and no other's
    act(alice, alice.message("a secret"), "Delete")
    alice.page.get_by_role("button", name="Cancel").click()
    act(alice, alice.message("a secret"), "Delete")
    alice.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    for tab in (alice, bob):
        expect(tab.messages).to_have_text(re.compile("Message deleted"))
        assert "a secret" not in tab.page.locator("#timeline").inner_text()


def test_reactions_tell_who_and_are_taken_back(visit: Visit, room: str) -> None:
    alice, bob = visit("alice", f"/room/{room}"), visit("bob", f"/room/{room}")
    alice.say("shipped")
    bob.press(bob.see("shipped"), "React with 👍")
    chip = alice.message("shipped").locator(".reaction")
    expect(chip).to_have_attribute("title", bob.nick)
    expect(chip).to_have_attribute("aria-pressed", "false")
    chip.click()
    expect(chip).to_have_text("👍2")
    expect(bob.message("shipped").locator(".reaction")).to_have_attribute("title", f"you, {alice.nick}")
    bob.message("shipped").locator(".reaction").click()
    expect(chip).to_have_attribute("title", "you")
    alice.press(alice.message("shipped"), "React")
    alice.page.get_by_label("Search emoji").fill("tad")
    alice.page.keyboard.press("Enter")
    expect(bob.message("shipped").locator(".reaction")).to_have_count(2)


def test_what_is_pinned_is_found_again(visit: Visit, room: str, others: Net) -> None:
    alice = visit("alice", f"/room/{room}")
    bob = others.session("bob", room)
    bob.say("the address is 10.0.0.7", room=room)
    act(alice, alice.see("the address"), "Pin")
    expect(alice.message("the address").locator(".pin-mark")).to_be_visible()
    bob.say_all([f"line {n}" for n in range(200)], room=room)
    alice.see("line 199")
    alice.page.get_by_label("Pinned messages").click()
    alice.page.get_by_role("dialog").get_by_text("the address is").click()
    expect(alice.message("the address")).to_be_in_viewport()
    expect(alice.page).to_have_url(re.compile(rf"/room/{room}/\d+$"))


def test_a_thread_is_beside_the_room_and_in_it(visit: Visit, room: str, others: Net) -> None:
    alice = visit("alice", f"/room/{room}")
    bob = others.session("bob", room)
    root = bob.say("who is on call?", room=room)["seq"]
    act(alice, alice.see("on call"), "Answer in a thread")
    thread = alice.page.locator("#thread")
    expect(alice.page).to_have_url(re.compile(rf"\?thread={root}$"))
    thread.locator("textarea").fill("me")
    thread.locator("textarea").press("Enter")
    expect(thread.locator("article[data-seq]")).to_have_count(2)
    expect(alice.message("on call").first.locator(".answers")).to_have_text("1 answer")
    bob.say("thanks", room=room, reply_to=root)
    expect(thread.locator("article[data-seq]")).to_have_count(3)
    expect(alice.message("thanks").locator(".quote")).to_have_text(re.compile("bob who is on call"))
    bob.say("something else", room=room)
    alice.see("something else")
    expect(thread.locator("article[data-seq]")).to_have_count(3)
    alice.page.go_back()
    expect(thread).to_be_hidden()
    alice.page.go_forward()
    expect(thread.get_by_text("thanks")).to_be_visible()


def test_an_answer_leads_to_what_it_answers(visit: Visit, room: str, others: Net) -> None:
    bob = others.session("bob", room)
    first = bob.say("the first of many", room=room)["seq"]
    bob.say_all([f"line {n}" for n in range(300)], room=room)
    bob.say("agreed", room=room, reply_to=first)
    alice = visit("alice", f"/room/{room}")
    quote = alice.see("agreed").locator(".quote")
    expect(quote).to_have_text(re.compile("bob the first of many"))
    alice.press(alice.message("agreed"), "More")
    alice.page.get_by_role("menuitem", name="Answer", exact=True).click()
    alice.say("so be it")
    expect(alice.see("so be it").locator(".quote")).to_have_text(re.compile("bob agreed"))
    alice.say("which answers nothing")
    expect(alice.see("which answers nothing").locator(".quote")).to_have_count(0)
    quote.first.click()
    expect(alice.message("the first of many").locator("visible=true").first).to_be_in_viewport()
    expect(alice.page.locator(f'article[data-seq="{first}"]')).to_have_class(re.compile(r"\blit\b"))


def test_code_can_be_copied_and_links_tell_where_they_go(visit: Visit, room: str, others: Net) -> None:
    alice = visit("alice", f"/room/{room}")
    alice.context.grant_permissions(["clipboard-read", "clipboard-write"])
    bob = others.session("bob", room)
    bob.say("```python\nprint('a')\nprint('b')\n```\n[the manual](https://docs.example/x?y=1)", room=room)
    message = alice.see("the manual")
    message.locator(".copy").evaluate(WATCH)
    message.get_by_text("Copy", exact=True).click()
    until(alice.page, "() => window.seen.includes('Copied')")
    assert alice.page.evaluate("navigator.clipboard.readText()") == "print('a')\nprint('b')\n"
    link = message.get_by_role("link", name="the manual")
    expect(link).to_have_attribute("title", "https://docs.example/x?y=1")
    expect(link).to_have_attribute("rel", re.compile("noopener"))
    expect(message.locator(".link-host")).to_have_text("docs.example")


def test_nothing_that_is_said_becomes_a_part_of_the_page(visit: Visit, room: str, others: Net) -> None:
    alice = visit("alice", f"/room/{room}")
    bob = others.session("bob", room)
    bob.say("<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>", room=room)
    bob.say("[x](javascript:document.title='owned') <b>bold</b>", room=room)
    alice.see("bold")
    expect(alice.messages.locator("img, script, b")).to_have_count(0)
    assert "owned" not in alice.page.title()
    for link in alice.messages.locator(".text a").all():
        assert not (link.get_attribute("href") or "").startswith("javascript")


def test_messages_of_one_author_stand_under_one_head(visit: Visit, room: str, others: Net) -> None:
    bob, carol = others.session("bob", room), others.session("carol", room)
    bob.say_all(["one", "two"], room=room)
    carol.say("three", room=room)
    bob.say("four", room=room)
    alice = visit("alice", f"/room/{room}")
    alice.see("four")
    heads = alice.messages.locator("header .nick")
    expect(heads).to_have_text(["bob", "carol", "bob"])
    expect(alice.message("two").locator(".hidden-text")).to_have_text("bob")  # for who cannot see where it stands


def test_a_call_is_marked_and_counted(visit: Visit, room: str, others: Net) -> None:
    alice: Visitor = visit("alice", f"/room/{room}")
    bob = others.session("bob", room)
    bob.say(f"{alice.nick}nt is somebody else", room=room)
    bob.say(f"could {alice.nick} look at it?", room=room)
    called = alice.see("look at it")
    expect(called).to_have_class(re.compile("for-me"))
    expect(called.locator(".mention")).to_have_text(alice.nick)
    expect(alice.message("somebody else")).not_to_have_class(re.compile("for-me"))


def test_a_command_of_the_prompt_is_not_said_by_mistake(visit: Visit, room: str) -> None:
    alice = visit("alice", f"/room/{room}", init_script=LASTING)
    until(alice.page, STYLED)
    alice.say("/later 1m lunch")
    told = alice.page.locator(".toast", has_text="/later is a command of the terminal")
    expect(told).to_contain_text("the menu of the room")
    expect(alice.line).to_have_value("/later 1m lunch")
    shown, line = told.bounding_box(), alice.page.locator("#composer").bounding_box()
    assert shown is not None
    assert line is not None
    assert shown["y"] + shown["height"] <= line["y"], "what one writes stays in sight"
    told.get_by_role("button", name="Send as text").click()
    alice.see("/later 1m lunch")
    for text in ("/etc is full", "//mute is a command", "/me waves"):
        alice.say(text)
    alice.see("waves")
    alice.shows(["/later 1m lunch", "/etc is full", "/mute is a command", "waves"])
    expect(alice.messages.last).to_have_class(re.compile(r"\baction\b"))
    high = alice.page.evaluate("document.documentElement.scrollHeight - innerHeight")
    assert high == 0, "the page itself does not scroll"


def test_what_is_to_be_sent_later_is_listed_and_taken_back(visit: Visit, room: str) -> None:
    alice = visit("alice", f"/room/{room}", init_script=LASTING)
    dialog, asked = (
        alice.page.get_by_role("dialog"),
        "import('/assets/wire.js').then(({ wire }) => wire.ask({ type: 'scheduled' }))",
    )

    def choose(label: str) -> None:
        alice.choose(alice.page.locator("#place-menu"), label)

    def kept() -> dict[str, datetime]:
        told = alice.page.evaluate(asked)["messages"]
        return {one["text"]: datetime.fromisoformat(one["at"]) for one in told}

    choose("Send later")
    expect(alice.page.locator(".toast", has_text="Write first")).to_be_visible()
    begun, two_days = datetime.now(UTC), (datetime.now(UTC) + timedelta(days=2)).replace(second=0, microsecond=0)
    for text in ("in an hour", "some day"):
        alice.line.fill(text)
        choose("Send later")
        if text == "some day":
            alice.page.get_by_label("Or at").fill(two_days.strftime("%Y-%m-%dT%H:%M"))
            dialog.get_by_role("button", name="Send then").click()
        else:
            dialog.get_by_role("button", name="In an hour").click()
        wait_for(lambda said=text: said in kept(), "it to be kept")  # type: ignore[misc]
        expect(alice.line).to_have_value("")
    expect(alice.page.locator(".toast", has_text="It is kept").first).to_be_visible()
    at = kept()
    assert begun + timedelta(minutes=59) < at["in an hour"] < datetime.now(UTC) + timedelta(minutes=61)
    assert at["some day"] == two_days
    choose("Scheduled")
    found = dialog.locator(".found")
    expect(found).to_have_text([re.compile(f"{room}.*in an hour"), re.compile(f"{room}.*some day")])
    found.first.get_by_role("button", name="Take back").click()
    expect(found).to_have_text([re.compile("some day")])
    assert list(kept()) == ["some day"]
    alice.page.keyboard.press("Escape")
    expect(alice.messages).to_have_count(0)


def test_who_is_typing_is_told_until_they_have_said_it(visit: Visit, room: str) -> None:
    alice, bob = visit("alice", f"/room/{room}"), visit("bob", f"/room/{room}")
    typing = bob.page.locator(".typing").first
    typing.evaluate(WATCH)
    alice.line.press_sequentially("slowly")
    until(bob.page, f"() => window.seen.includes('{alice.nick} is typing')")
    alice.line.press("Enter")
    bob.see("slowly")
    assert typing.inner_text() == "", "it would fade by itself, but later"
