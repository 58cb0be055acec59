"""Answers that come late: what one has turned to meanwhile stays, and what one types stays where it is typed."""

from playwright.sync_api import expect

from tests.gateways.web.page.conftest import Cable, Visit, Web, needs_chromium

pytestmark = needs_chromium


def test_what_comes_late_takes_neither_the_words_nor_the_place(
    visit: Visit, room: str, cabled: Web, cable: Cable
) -> None:
    alice = visit("alice", f"/room/{room}-other", web=cabled)
    alice.go(f"/room/{room}")
    alice.say("the root")
    root = alice.see("the root").first

    # a thread that is opened, and one writes on in the room
    cable.stall()
    root.press("t")
    expect(alice.page.locator("#thread textarea")).to_be_focused()
    alice.line.click()
    alice.page.keyboard.type("for the ")
    cable.heal()
    expect(alice.page.locator("#thread article[data-seq]")).to_have_count(1)
    alice.page.keyboard.type("room")
    expect(alice.line).to_have_value("for the room")

    # a list that is asked for, and one writes on before it comes
    alice.page.get_by_role("button", name="Pinned messages").click()
    expect(alice.page.get_by_role("dialog")).to_be_visible()  # its module is here now
    alice.page.keyboard.press("Escape")
    cable.stall()
    alice.page.get_by_role("button", name="Pinned messages").click()
    alice.line.click()
    cable.heal()
    alice.say("for the room, still")
    alice.see("for the room, still")  # the answers come in the order of the questions
    expect(alice.page.get_by_role("dialog")).to_have_count(0)

    # a room that is being made, and one turns elsewhere
    alice.page.get_by_role("button", name="Join or make a room").click()
    alice.page.get_by_role("searchbox").fill(f"{room}-new")
    make = alice.page.get_by_role("button", name=f"Make {room}-new")
    expect(make).to_be_visible()
    cable.stall()
    make.click()
    alice.page.keyboard.press("Escape")
    alice.page.locator(f'#side [data-key="room/{room}-other"] a').click()
    cable.heal()
    expect(alice.page.locator(f'#side [data-key="room/{room}-new"]')).to_be_visible()
    expect(alice.page).to_have_url(f"{cabled.url}/room/{room}-other")
