"""Members at the page: in by a link, in whatever tab, and out when the login is taken away."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Browser, Error, Locator, Page, expect

from tests.conftest import Broker, StartBroker
from tests.gateways.web.page.axe import faults
from tests.gateways.web.page.conftest import LASTING, WIDE, StartWeb, Tab, Web, needs_chromium
from tests.integration.test_cli_network import owner_link, without_code

pytestmark = needs_chromium


@pytest.fixture
def closed(start_broker: StartBroker) -> Broker:
    """Return a broker that lets in members alone."""
    return start_broker(listen="zchat://127.0.0.1:0", publish="tcp://127.0.0.1:0")


@pytest.fixture
def members(closed: Broker, start_web: StartWeb) -> Web:
    return start_web(without_code(owner_link(closed)))


@pytest.fixture
def stranger(browser: Browser, members: Web) -> Iterator[Tab]:
    """Return a tab of a browser that was never here."""
    context = browser.new_context(viewport=WIDE)
    context.add_init_script(LASTING)
    yield Tab(context.new_page(), members)
    context.close()


def test_a_link_works_in_a_tab_where_the_page_is_open(stranger: Tab, closed: Broker, members: Web) -> None:
    page = stranger.page
    page.goto(members.url)
    expect(page.get_by_label("Link or code")).to_be_visible()
    page.goto(f"{members.url}/#in={owner_link(closed).rpartition('/')[2]}")  # nothing is loaded by that
    page.get_by_label("Your nick").fill("alice")
    page.get_by_label("Your nick").press("Enter")
    stranger.ready()


ASK = """async (command) => {
    const { wire } = await import('/assets/wire.js');
    return wire.ask(command);
}"""


def come(tab: Tab, link: str, nick: str) -> Tab:
    """Come in by an invitation."""
    tab.page.goto(link)
    tab.page.get_by_label("Your nick").fill(nick)
    tab.page.get_by_label("Your nick").press("Enter")
    return tab.ready()


def offered(tab: Tab, *opens: Locator) -> set[str]:
    """Return what menus offer."""
    labels = set[str]()
    for each in opens:
        labels.update(tab.offers(each).all_inner_texts())
        tab.page.keyboard.press("Escape")
    return labels


def operate_in_public(owner: Tab, tab: Tab, from_: str) -> None:
    """Have the member of the tab operate a room in which all read, and no more."""
    menu, alice = tab.page.locator("#place-menu"), tab.page.locator("#people").get_by_role("button", name="alice")
    tab.go("/room/general")
    for fields, words in (
        ({"mode": "announce"}, "alice made general read-only"),
        ({"operator": from_}, "alice made you an operator of general."),
    ):
        owner.page.evaluate(ASK, {"type": "access", "room": "general", **fields})
        expect(tab.page.locator("#toasts")).to_contain_text(words)
    for _ in range(2):  # as it is told, and as the page begins with it
        expect(tab.page.locator("#people").get_by_role("button", name="bob")).to_contain_text("operator")
        assert {"Keep what is said for …", "Take out of general"} <= offered(tab, menu, alice)
        tab.page.reload()
        tab.ready()
    expect(tab.page.locator("#timeline")).to_contain_text("Moderators and operators speak here")
    owner.page.evaluate(ASK, {"type": "access", "room": "general", "mode": "public"})
    expect(tab.page.locator("#toasts")).to_contain_text("alice lets everybody speak in general")
    assert "Take out of general" not in offered(tab, alice)


def test_an_operator_is_offered_what_operators_may_and_a_login_that_is_taken_away_leads_to_the_door(
    stranger: Tab, closed: Broker, members: Web
) -> None:
    page = come(stranger, f"{members.url}/#in={owner_link(closed).rpartition('/')[2]}", "alice").page
    context = page.context.browser.new_context(viewport=WIDE)  # type: ignore[union-attr]
    context.add_init_script(LASTING)
    invited = f"{members.url}/#in={page.evaluate(ASK, {'type': 'invite'})['code']}"
    second = come(Tab(context.new_page(), members), invited, "bob")
    found = page.evaluate(ASK, {"type": "members"})["members"]
    bob = next(each for each in found if each["nick"] == "bob")
    for access in ({"mode": "private"}, {"admit": bob["from"]}):
        page.evaluate(ASK, {"type": "access", "room": "+ops", **access})
    mode = "() => import('/assets/state.js').then(({ place }) => place('room/+ops').mode)"
    assert page.evaluate(mode) == "private", "its name tells it before the broker does"
    stranger.go("/room/+ops")
    stranger.say("for operators")
    second.go("/room/+ops")
    second.see("for operators").hover()
    more, menu = second.message("for operators").get_by_label("More"), second.page.locator("#place-menu")
    alice = second.page.locator("#people").get_by_role("button", name="alice")
    powers = {"Delete", "Let somebody in …", "Keep what is said for …", "Take out of +ops"}
    assert powers.isdisjoint(offered(second, more, menu, alice))
    assert "Let somebody in …" in offered(stranger, page.locator("#place-menu"))
    makes = "Have them operate the room, too"
    assert makes in offered(stranger, page.locator("#people").get_by_role("button", name="bob"))
    page.evaluate(ASK, {"type": "access", "room": "+ops", "operator": bob["from"]})
    expect(second.page.locator("#toasts")).to_contain_text("alice made you an operator of +ops.")
    assert makes not in offered(second, alice), "they do already"
    second.message("for operators").hover()
    assert powers <= offered(second, more, menu, alice)
    second.page.reload()  # what it was told is gone with that
    second.ready()
    second.see("for operators").hover()
    assert powers <= offered(second, more, menu, alice)
    second.choose(menu, "Keep what is said")
    second.page.get_by_label("For how long").fill("30 days")
    second.page.keyboard.press("Enter")
    expect(second.page.get_by_role("alert")).to_contain_text("30d, 4w, for ever or default")
    assert faults(second) == [], "what keeping asks, and tells"
    second.page.get_by_label("For how long").fill("30d")
    second.page.keyboard.press("Enter")
    expect(second.page.locator("#toasts")).to_contain_text("kept for 30 days")
    second.choose(menu, "Keep what is said")
    expect(second.page.get_by_label("For how long")).to_have_value("30d")
    second.page.keyboard.press("Escape")
    expect(page.locator("#toasts")).to_contain_text("bob has +ops keep what is said for 30 days.")
    operate_in_public(stranger, second, bob["from"])
    told = page.evaluate(ASK, {"type": "audit"})["events"]
    assert [each["keep"] for each in told if each.get("change") == "keep"] == [30]
    page.evaluate(ASK, {"type": "credential", "from": bob["from"], "remove": bob["devices"][0]["credential"]})
    expect(second.page.get_by_label("Link or code")).to_be_visible()
    expect(second.page.locator("#login")).to_contain_text(re.compile("login|device|removed", re.IGNORECASE))
    context.close()


def whose(tab: Tab, nick: str, choice: str) -> Locator:
    """Choose from the menu of somebody at the right, and return the dialog."""
    tab.choose(tab.page.locator("#people").get_by_role("button", name=nick), choice)
    return tab.page.get_by_role("dialog")


def see_muted(alice: Tab, bob: Tab) -> None:
    """See that bob is muted, in both tabs and in one that is loaded anew; and let him speak again."""
    marks = [tab.page.locator("#people .person", has_text="bob").locator(".tag") for tab in (alice, bob)]
    for mark in marks:
        expect(mark).to_have_text("muted")
    expect(bob.page.locator("#toasts")).to_contain_text(re.compile("alice muted you until .*M: enough"))
    alice.page.reload()
    alice.ready()
    expect(marks[0]).to_have_text("muted")  # as it is asked for
    expect(whose(alice, "bob", "Who is this?")).to_contain_text("speak: muted")
    alice.page.keyboard.press("Escape")
    alice.choose(alice.page.locator("#people").get_by_role("button", name="bob"), "Unmute")
    for mark in marks:
        expect(mark).to_have_count(0)
    expect(bob.page.locator("#toasts")).to_contain_text("alice lets you speak again.")


def lost_laptop(laptop: Tab, phone: Tab) -> None:
    """Log the laptop out from the phone."""
    phone.page.locator("#settings-button").click()
    phone.page.get_by_role("button", name="Your devices").click()
    phone.page.get_by_role("button", name="Log your other browsers out").click()
    expect(laptop.page.locator("#login")).to_contain_text("You have logged this browser out in another one.")


def somebody_left(page: Page) -> None:
    """Find bob, wherever bob is, and keep him out."""
    page.get_by_label("Join or make a room").click()
    page.get_by_label("Find or make a room").fill("bob")
    expect(page.locator(".choice .choice-name")).to_contain_text(["bob", "Make bob"])
    page.get_by_role("button", name="All members").click()
    expect(page.locator(".choice .choice-name")).to_have_text(["alice", "bob"])
    page.locator(".choice", has_text="bob").click()
    page.get_by_role("dialog").get_by_role("button", name="Ban …").click()
    page.get_by_role("dialog", name="Ban bob").get_by_label("Reason").fill("has left the team")
    page.keyboard.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("bob is banned.")


def test_moderators_say_until_when_and_why_and_nobody_leaves_with_the_only_device_unasked(
    stranger: Tab, browser: Browser, closed: Broker, members: Web
) -> None:
    page = come(stranger, f"{members.url}/#in={owner_link(closed).rpartition('/')[2]}", "alice").page
    stranger.go("/room/lobby")
    bobs, phones = (browser.new_context(viewport=WIDE) for _ in range(2))
    bobs.add_init_script(LASTING)
    bob = come(
        Tab(bobs.new_page(), members), f"{members.url}/#in={page.evaluate(ASK, {'type': 'invite'})['code']}", "bob"
    )
    bob.go("/room/lobby")
    asked = whose(stranger, "bob", "Mute …")
    asked.get_by_label("For how long").fill("soon")
    asked.get_by_label("Reason").fill("enough")
    page.keyboard.press("Enter")
    expect(asked.get_by_role("alert")).to_contain_text('"soon" is no length of time')
    assert faults(stranger) == [], "what a mute asks, and tells"
    asked.get_by_label("For how long").fill("2h")
    page.keyboard.press("Enter")
    expect(page.locator("#toasts")).to_contain_text(re.compile("bob is muted until .*M"))
    (muted,) = [each for each in page.evaluate(ASK, {"type": "audit"})["events"] if each.get("change") == "muted"]
    assert muted["reason"] == "enough"
    assert (
        timedelta(minutes=110)
        < datetime.fromisoformat(muted["until"]) - datetime.fromisoformat(muted["time"])
        <= timedelta(hours=2)
    )
    with pytest.raises(Error, match=r"You are muted until [^T]*M: enough"):
        bob.page.evaluate(ASK, {"type": "say", "room": "lobby", "text": "may I?"})
    see_muted(stranger, bob)
    whose(stranger, "bob", "Change the role").get_by_role("button", name="moderator").click()
    for tab in (stranger, bob):
        expect(tab.page.locator("#people .person", has_text="bob").locator(".tag")).to_have_text("moderator")
    bob.page.locator("#settings-button").click()
    bob.page.get_by_role("button", name="Change your nick").click()
    nick = bob.page.get_by_role("dialog")
    nick.get_by_label("Nick").fill("alice")
    bob.page.keyboard.press("Enter")
    expect(nick.get_by_role("alert")).to_have_text(re.compile("^The nick alice"))
    bob.page.keyboard.press("Escape")
    bob.page.locator("#settings-button").click()
    bob.page.get_by_role("button", name="Log this browser out").click()
    expect(bob.page.get_by_role("dialog")).to_contain_text("the only device of bob")
    assert faults(bob) == [], "what leaving asks"
    bob.page.get_by_role("button", name="Make a link for another device").click()
    phone = Tab(phones.new_page(), members)
    phone.page.goto(bob.page.get_by_label("For a browser").input_value())
    assert faults(bob) == [], "a link for another device"
    bob.page.keyboard.press("Escape")
    bob.page.locator("#settings-button").click()
    bob.page.get_by_role("button", name="Your devices").click()
    expect(bob.page.get_by_role("dialog", name="Your devices")).to_contain_text("web on")
    assert faults(bob) == [], "the list of devices"
    expect(phone.ready().page.locator(".me")).to_contain_text("bobmoderator")
    lost_laptop(bob, phone)
    phone.page.context.close()
    somebody_left(page)
    bobs.close()


def test_a_link_asks_first_where_somebody_is_in_already(stranger: Tab, closed: Broker, members: Web) -> None:
    page = stranger.page
    link = f"{members.url}/#in={owner_link(closed).rpartition('/')[2]}"
    page.goto(link)
    page.get_by_label("Your nick").fill("alice")
    page.get_by_label("Your nick").press("Enter")
    stranger.ready()
    code = page.evaluate("""async () => {
        const { wire } = await import('/assets/wire.js');
        return (await wire.ask({ type: 'invite' })).code;
    }""")
    bob = f"{members.url}/#in={code}"
    asked = page.get_by_role("dialog", name="You are in as alice")
    page.goto(bob)
    expect(asked).to_be_visible()
    expect(page.get_by_label("Your nick")).to_be_hidden()
    asked.get_by_role("button", name="Cancel").click()
    stranger.ready()
    expect(page.locator(".me")).to_contain_text("alice")
    page.goto(bob)  # it was not used
    asked.get_by_role("button", name="Come in anew").click()
    page.get_by_label("Your nick").fill("bob")
    page.get_by_label("Your nick").press("Enter")
    stranger.ready()
    expect(page.locator(".me")).to_contain_text("bob")
    page.goto("about:blank")
    page.goto(bob)  # it is used up now, and one stays who one is
    page.get_by_role("dialog", name="You are in as bob").get_by_role("button", name="Come in anew").click()
    expect(page.locator("#toasts")).to_contain_text("used up")
    stranger.ready()
    expect(page.locator(".me")).to_contain_text("bob")
