"""Being told: once, of what is meant for oneself, and not of what is on the screen; tabs agree on what is read."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Locator, expect

from tests.conftest import Broker, wait_for
from tests.gateways.web.page.conftest import LASTING, Tab, Visit, Visitor, Web, needs_chromium, until
from tests.gateways.web.push_service import Service, service_in_thread
from tests.integration.raw import Net

pytestmark = needs_chromium

# What the browser has shown, by its own account. To ask it again and again for that would not do: Chromium forgets a
# notice that it is about to show while it is asked.
COUNT = """
  self.shown = [];
  self.asked = [];
  const show = ServiceWorkerRegistration.prototype.showNotification;
  ServiceWorkerRegistration.prototype.showNotification = async function (title, options) {
    asked.push(title);
    await show.call(this, title, options);
    [self.notice] = await this.getNotifications({ tag: options.tag });
    shown.push([notice.title, notice.body]);
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
# The moment which a tab waits before it tells lasts until the test says so: which tab is faster is nobody's to say.
DAWDLE = """() => {
  const [soon, held] = [window.setTimeout, []];
  window.setTimeout = (act, delay) => (delay === 500 ? held.push(act) && 0 : soon(act, delay));
  window.goOn = () => {
    window.setTimeout = soon;
    held.forEach((act) => act());
  };
}"""
NOTICES = """async () => {
  const worker = await navigator.serviceWorker.ready;
  return (await worker.getNotifications()).map(({ title, body }) => [title, body]);
}"""


PUSHING = (sys.executable, "-m", "tests.gateways.web.page.pushing")


@pytest.fixture(scope="module")
def pushes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Return the push service of all browsers."""
    with service_in_thread(tmp_path_factory.mktemp("pushes")) as running:
        yield running


@pytest.fixture(scope="module")
def web(
    tmp_path_factory: pytest.TempPathFactory,
    open_broker: Broker,
    module_environment: dict[str, str],
    pushes: Service,
) -> Iterator[Web]:
    """Return a gateway for which that service is one of the Internet."""
    trusting = module_environment | {"SSL_CERT_FILE": str(pushes.certificate)}
    web = Web(tmp_path_factory.mktemp("web"), trusting, open_broker.listen, program=PUSHING)
    web.start()
    yield web
    assert web.stop() == 0, web.output("stderr")


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
    for tab in (alice, *alice.tabs):
        until(tab.page, "() => !document.hasFocus()")


def look_at(tab: Tab) -> None:
    tab.page.bring_to_front()
    until(tab.page, "() => document.hasFocus()")


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
    (other,) = alice.tabs
    look_at(alice)
    alice.page.evaluate(CLAIMS)
    other.page.evaluate(DAWDLE)
    bob = others.session("bob", f"{room}-a")
    bob.say(f"{alice.nick}: you see this", room=f"{room}-a")
    alice.see("you see this")
    wait_for(lambda: claims(alice) == [True], "it to be claimed where it is in sight")
    other.page.evaluate("() => window.goOn()")
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
    wait_for(lambda: shown(alice), "a notice")
    look_at(alice)
    for tab in (alice, other):
        expect(tab.page.locator(f'#side [data-key="{place}"] .badge')).to_have_text("")
    wait_for(lambda: not alice.page.evaluate(NOTICES), "the notice to go")
    expect(alice.page).to_have_title(f"{room}-a · zchat")


def test_the_settings_tell_what_the_browser_lets_us(visit: Visit, room: str) -> None:
    bob = visit("bob", f"/room/{room}", init_script=LASTING)
    bob.page.get_by_role("button", name="Settings").click()
    box = bob.page.get_by_label("While a page is open")
    expect(box).not_to_be_checked()
    box.click()
    expect(bob.page.locator("#toasts")).to_contain_text("does not let")
    expect(box).not_to_be_checked()


# -- when no page is open


class Worker:
    """The service worker of somebody's page, and what a push service and a click do to it."""

    def __init__(self, visitor: Visitor) -> None:
        self._url, self._known = visitor.web.url, list[str]()
        self.worker = wait_for(lambda: next(iter(visitor.context.service_workers), None), "the worker")
        self._devtools = visitor.context.new_cdp_session(visitor.page)
        self._devtools.on("ServiceWorker.workerRegistrationUpdated", self._updated)
        self._devtools.send("ServiceWorker.enable")
        self.worker.evaluate(f"() => {{ {COUNT} {CLICKS} }}")
        wait_for(lambda: self.shown() == [] and self._known, "the registration")

    def _updated(self, told: dict[str, Any]) -> None:
        self._known += [one["registrationId"] for one in told["registrations"] if one["scopeURL"].startswith(self._url)]

    def push(self, what: str) -> None:
        """Hand in what came from the push service, decrypted as a browser does."""
        told = {"origin": self._url, "registrationId": self._known[0], "data": what}
        self._devtools.send("ServiceWorker.deliverPushMessage", told)

    def shown(self) -> list[list[str]]:
        return self.worker.evaluate("() => shown")  # type: ignore[no-any-return]

    def click(self) -> None:
        """Click on the newest notice."""
        self.worker.evaluate(
            "() => dispatchEvent(new NotificationEvent('notificationclick', { notification: notice }))"
        )

    def subscribe_anew(self, subscription: dict[str, Any]) -> None:
        """Let the browser have taken another subscription by itself."""
        self.worker.evaluate(
            """(newSubscription) => {
                dispatchEvent(Object.assign(new ExtendableEvent("pushsubscriptionchange"), { newSubscription }));
            }""",
            subscription,
        )

    def opened(self) -> str:
        """Return the address at which a window was opened."""
        return wait_for(lambda: self.worker.evaluate("() => opened.pop() ?? null"), "a window")  # type: ignore[no-any-return]


# Only a person who clicks may have windows opened and raised. What is pushed is counted once the worker has looked
# whether the page is looked at.
CLICKS = """
  self.opened = [];
  self.pushes = 0;
  addEventListener("push", async () => (await clients.matchAll({ type: "window" }), pushes++));
  Clients.prototype.openWindow = async (address) => void opened.push(address);
  WindowClient.prototype.focus = async function () { return this; };
"""
# A browser without its maker's push service subscribes nowhere: this does so at ours, and is as particular.
SUBSCRIBES = """
  const made = { toJSON: () => (SUBSCRIPTION), unsubscribe: async () => delete localStorage.subscribed };
  PushManager.prototype.getSubscription = async () => (localStorage.subscribed ? made : null);
  PushManager.prototype.subscribe = async ({ userVisibleOnly, applicationServerKey }) => {
    const key = atob(applicationServerKey.replaceAll("-", "+").replaceAll("_", "/"));
    if (localStorage.subscribed) throw new DOMException("There is one, for another key.", "InvalidStateError");
    if (!userVisibleOnly || key.length !== 65 || key[0] !== "\x04") throw new TypeError("This is no key.");
    localStorage.subscribed = "yes";
    return made;
  };
"""


@pytest.fixture
def told(visit: Visit, room: str, pushes: Service) -> Visitor:
    """Return somebody whose browser can subscribe."""
    script = SUBSCRIBES.replace("SUBSCRIPTION", msgspec.json.encode(pushes.subscription).decode())
    return visit("told", f"/room/{room}", permissions=["notifications"], init_script=script)


def switch(visitor: Visitor) -> Locator:
    """Open the settings, and return the switch of what is told when no page is open."""
    visitor.page.get_by_role("button", name="Settings").click()
    return visitor.page.get_by_label("Also when no page is open")


def close_page(visitor: Visitor) -> None:
    """Leave the page, and wait until the gateway knows."""
    visitor.page.goto("about:blank")
    numbers = f"{visitor.web.url}/metrics"
    wait_for(lambda: "\nzchat_web_tabs 0.0\n" in visitor.context.request.get(numbers).text(), "no tab to be open")


def subscribed(web: Web) -> list[str]:
    """Return where the gateway pushes."""
    found = list(web.folder.glob("data/web/*/push.json"))
    return [one["subscription"]["endpoint"] for path in found for one in json.loads(path.read_text()).values()]


def switch_on(visitor: Visitor) -> None:
    """Have them told when no page is open, too, and wait until the gateway knows."""
    box = switch(visitor)
    expect(box).not_to_be_checked()
    box.click()
    wait_for(lambda: subscribed(visitor.web), "the gateway to know it")
    expect(box).to_be_checked()


def test_who_switches_it_on_is_pushed_what_calls_them_until_they_switch_it_off(
    told: Visitor, room: str, others: Net, pushes: Service, web: Web
) -> None:
    switch_on(told)
    worker = Worker(told)
    close_page(told)
    bob = others.session("bob", room)
    seq = bob.say(f"{told.nick}: between us", room=room)["seq"]
    wait_for(lambda: pushes.got, "a push")
    sent = json.dumps(pushes.read(pushes.got[0][2]))
    assert "between us" not in sent
    worker.push(sent)
    called = ["bob", f"called you in #{room}"]
    wait_for(lambda: worker.shown() == [called], "the notice")
    worker.click()
    address = worker.opened()
    assert address == f"/room/{room}/{seq}"
    told.go(address).see("between us")

    close_page(told)
    pushes.status = 410  # this browser wants no more, its service says
    bob.say(f"{told.nick}?", room=room)
    wait_for(lambda: not subscribed(web), "the gateway to forget it")
    numbers = told.context.request.get(f"{web.url}/metrics").text()
    assert [numbers.count(f'\nzchat_web_pushes_total{{code="{code}"}} 1.0\n') for code in (201, 410)] == [1, 1]
    pushes.status = 201
    told.go(f"/room/{room}-elsewhere")
    switch_on(told)
    worker.subscribe_anew(json.loads(msgspec.json.encode(pushes.subscription).replace(b"/abc", b"/new")))
    wait_for(lambda: str(subscribed(web)).endswith("/new']"), "the new subscription")

    real_focus(told)
    look_elsewhere(told)
    worker.push(sent)
    wait_for(lambda: worker.shown() == [called] * 2, "the notice, for the page is not looked at")
    worker.click()
    told.see("between us")
    worker.push("")
    wait_for(lambda: worker.shown()[2:] == [["zchat", "There is something for you."]], "a notice without words")
    look_at(told)
    worker.push(json.dumps({"title": "not shown", "tag": "other"}))
    wait_for(lambda: worker.worker.evaluate("() => pushes") == 4, "the last push")
    assert "not shown" not in worker.worker.evaluate("() => asked")
    box = switch(told)
    expect(box).to_be_checked()
    box.click()
    wait_for(lambda: not told.page.evaluate("() => localStorage.subscribed"), "the browser to have none")
    expect(box).not_to_be_checked()
    wait_for(lambda: not subscribed(web), "the gateway to forget it, too")
