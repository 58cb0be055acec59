"""Being told: once, of what is meant for oneself, and not of what is on the screen; tabs agree on what is read."""

import json
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.conftest import wait_for
from tests.gateways.web.page.conftest import Tab, Visit, Visitor, needs_chromium
from tests.integration.raw import Net

pytestmark = needs_chromium

# What the page asks the browser to show, counted where it does.
COUNT = """
  window.shown = [];
  const show = ServiceWorkerRegistration.prototype.showNotification;
  ServiceWorkerRegistration.prototype.showNotification = function (title, options) {
    window.shown.push([title, options.body]);
    return show.call(this, title, options);
  };
"""
# What a tab has claimed to tell, and whether it may.
CLAIMS = """async () => {
  const { kept } = await import('/assets/kept.js');
  window.claims = [];
  const claim = kept.claim.bind(kept);
  kept.claim = async (...what) => {
    const won = await claim(...what);
    window.claims.push(won);
    return won;
  };
}"""
NOTICES = """async () => {
  const worker = await navigator.serviceWorker.ready;
  return (await worker.getNotifications()).map(({ title, body }) => [title, body]);
}"""


def real_focus(tab: Tab) -> None:
    """Have the page's focus be what it is: otherwise every tab believes to have it."""
    session = tab.page.context.new_cdp_session(tab.page)
    session.send("Emulation.setFocusEmulationEnabled", {"enabled": False})


@pytest.fixture
def alice(visit: Visit, room: str) -> Visitor:
    """Return alice in two tabs, of which neither has the focus, and who lets herself be told."""
    alice = visit("alice", f"/room/{room}-a", permissions=["notifications"], init_script=COUNT)
    other = alice.tab(f"/room/{room}-b")
    for tab in (alice, other):
        tab.page.evaluate("() => navigator.serviceWorker.ready")
        tab.go("/room/" + tab.page.url.rpartition("/")[2])  # with the worker from the beginning
        real_focus(tab)
    look_elsewhere(alice)
    return alice


def look_elsewhere(alice: Visitor) -> None:
    page = alice.context.new_page()
    real_focus(Tab(page, alice.web))
    page.bring_to_front()


def shown(alice: Visitor) -> list[list[str]]:
    """Return all notices that the tabs of alice have asked for."""
    tabs = [alice, *alice.tabs]
    return [notice for tab in tabs for notice in tab.page.evaluate("() => window.shown")]


def claims(tab: Tab) -> list[bool]:
    return list(tab.page.evaluate("() => window.claims"))


def test_a_mention_is_told_once_by_two_tabs(alice: Visitor, room: str, others: Net) -> None:
    tabs = [alice, *alice.tabs]
    for tab in tabs:
        tab.page.evaluate(CLAIMS)
    bob = others.session("bob", f"{room}-a")
    bob.say("nothing for anybody", room=f"{room}-a")
    said = [f"{alice.nick}: look here", f"{alice.nick}: a last one"]
    for count, text in enumerate(said, 1):
        bob.say(text, room=f"{room}-a")
        wait_for(lambda: all(len(claims(tab)) == count for tab in tabs), "each tab to have asked whether it may")  # noqa: B023
        assert sum(won for tab in tabs for won in claims(tab)) == count
    wait_for(lambda: len(shown(alice)) >= 2, "the second notice")
    assert sorted(shown(alice)) == sorted([f"bob in {room}-a", text] for text in said)
    expect(alice.page).to_have_title(f"(2) {room}-a · zchat")
    assert alice.page.locator('link[rel="icon"]').get_attribute("href").startswith("data:")  # type: ignore[union-attr]


def test_a_direct_message_is_told_and_what_is_on_the_screen_is_not(alice: Visitor, room: str, others: Net) -> None:
    alice.page.bring_to_front()
    bob = others.session("bob", f"{room}-a")
    bob.say(f"{alice.nick}: you see this", room=f"{room}-a")
    alice.see("you see this")
    bob.say("just between us", to=alice.nick)
    wait_for(lambda: shown(alice), "a notice")
    assert shown(alice) == [["bob", "just between us"]]


def test_two_tabs_agree_on_what_is_read(alice: Visitor, room: str, others: Net) -> None:
    (other,) = alice.tabs
    bob = others.session("bob", f"{room}-a")
    place = f"room/{room}-a"
    bob.say("one", room=f"{room}-a")
    bob.say(f"{alice.nick}: two", room=f"{room}-a")
    for tab in (alice, other):
        expect(tab.page.locator(f'#side [data-key="{place}"] .badge')).to_have_text("2")
    wait_for(lambda: alice.page.evaluate(NOTICES), "a notice")
    alice.page.bring_to_front()
    for tab in (alice, other):
        expect(tab.page.locator(f'#side [data-key="{place}"] .badge')).to_have_text("")
    wait_for(lambda: not alice.page.evaluate(NOTICES), "the notice to go")
    expect(alice.page).to_have_title(f"{room}-a · zchat")


def test_the_settings_tell_what_the_browser_lets_us(visit: Visit, room: str) -> None:
    bob = visit("bob", f"/room/{room}")
    bob.page.get_by_role("button", name="Settings").click()
    box = bob.page.get_by_label("While a page is open")
    expect(box).not_to_be_checked()
    box.click()
    expect(bob.page.locator("#toasts")).to_contain_text("does not let")
    expect(box).not_to_be_checked()


PUSHED = {"title": "bob in dev", "body": "You are called.", "tag": "room/dev", "key": "room/dev", "seq": 7}


def test_what_is_pushed_is_shown_unless_the_page_is_looked_at(alice: Visitor) -> None:
    workers = alice.context.new_cdp_session(alice.page)
    known: list[str] = []

    def updated(told: dict[str, Any]) -> None:
        known.extend(
            one["registrationId"] for one in told["registrations"] if one["scopeURL"].startswith(alice.web.url)
        )

    workers.on("ServiceWorker.workerRegistrationUpdated", updated)
    workers.send("ServiceWorker.enable")
    wait_for(lambda: alice.page.evaluate("1") and known, "the registration")

    def push(what: str) -> None:
        told = {"origin": alice.web.url, "registrationId": known[0], "data": what}
        workers.send("ServiceWorker.deliverPushMessage", told)

    push(json.dumps(PUSHED).ljust(512))
    wait_for(lambda: alice.page.evaluate(NOTICES) == [["bob in dev", "You are called."]], "the notice")
    push("")  # a notice without words, too
    wait_for(lambda: ["zchat", "There is something for you."] in alice.page.evaluate(NOTICES), "the second notice")
    alice.page.bring_to_front()
    push(json.dumps(PUSHED | {"title": "not shown", "tag": "other"}))
    alice.page.evaluate("""async () => {
        // what is asked of a worker comes in turn: this comes after what was pushed
        const { active } = await navigator.serviceWorker.ready;
        active.postMessage({ shell: [] });
    }""")
    assert "not shown" not in str(alice.page.evaluate(NOTICES))
