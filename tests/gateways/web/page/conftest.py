"""A broker, `zchat web` beside it, and Chromium: people who come to the page as they do.

One broker, one gateway and one browser serve all tests of this folder that one process runs one after the other (it
is a package for that: the fixtures end with it); each test talks in a room of its own, and whoever comes has a browser
context of their own: cookies, storage, windows. `visit("alice", "/room/dev")` is somebody in a tab,
whose `nick` is `alice-…`; `.tab(…)` opens another one of theirs. Tests that kill something start theirs with
`start_broker` and `start_web`. What a page has printed as an error, or thrown, fails its test at the end.

Nothing sleeps, and no page is read once for what has yet to come: `expect`, `shows` and `until` wait for it. On a slow
machine anything may come between two steps of a test: so notices stay with `LASTING`, and what is over a message, which
may move, is pressed by `press`.
"""

import asyncio
import json
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Playwright,
    ViewportSize,
    expect,
    sync_playwright,
)

from tests.conftest import PATIENCE, Broker, folders_of, wait_for
from tests.gateways.web.browser import Gateway
from tests.integration.raw import Net, unique
from tests.soak.proxy import Proxy

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
AS_ROOT = ("--no-sandbox",) if os.geteuid() == 0 else ()
QUIET = (*AS_ROOT, "--disable-dev-shm-usage", "--disable-gpu", "--force-color-profile=srgb", "--lang=en-US")
WIDE: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 844}

SHOWN = "#app:not([hidden]) #timeline:not([aria-busy])"  # a place with its messages

# The styles of what lies over the page come after the first sight of it.
STYLED = "() => [...document.styleSheets].some(({ href }) => href?.endsWith('/more.css'))"

# A notice stays until it is clicked away, and lets the mouse through. (To what a timer calls there is no event.)
LASTING = """
  const remove = Element.prototype.remove;
  Element.prototype.remove = function () {
    if (!this.classList.contains('toast') || window.event) remove.call(this);
    else if (!this.querySelector('button')) this.style.pointerEvents = 'none';
  };
"""

# What Chromium itself prints when a connection is lost; the last one, when that was to fetch the service worker.
LOST = (
    *("blocked by Playwright", "net::ERR_", "WebSocket connection to", "Failed to load resource"),
    "An unknown error occurred when fetching the script.",
)

LONG = 2 * PATIENCE  # what is to be seen waits for a browser, too
expect.set_options(timeout=LONG * 1000)
needs_chromium = pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="needs a browser: apt install chromium")


@dataclass
class Web(Gateway):
    """A gateway that is killed and begins again, at the address by which browsers know it."""

    seen_as: str = ""

    def start(self) -> None:
        listen = self.listen
        super().start()
        if self.seen_as:  # what it tells is not where it listens
            self.listen = listen
        self.url = self.seen_as or f"http://{self.listen}"

    def restart(self) -> None:
        """Kill it, and start it again on the same folder and address."""
        self.kill()
        self.start()


class Cable:
    """What is between a browser and a gateway: it can be cut, stalled so that nobody notices, and healed."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.proxy = Proxy(0)
        asyncio.run_coroutine_threadsafe(self.proxy.start(), self._loop).result(PATIENCE)

    def _call(self, act: Callable[[], None]) -> None:
        async def called() -> None:
            act()

        asyncio.run_coroutine_threadsafe(called(), self._loop).result(PATIENCE)

    def cut(self) -> None:
        """Reset all connections, and let no new one through."""
        self._call(self.proxy.part)
        self._call(self.proxy.reset)

    def stall(self) -> None:
        """Let nothing through, and leave all connections as they are: as it is for a laptop that sleeps."""
        self._call(lambda: self.proxy.stall("both"))

    def heal(self) -> None:
        self._call(self.proxy.heal)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self.proxy.close(), self._loop).result(PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()


@dataclass
class Tab:
    """One page, and what one does and sees there."""

    page: Page
    web: Web
    faults: list[str] = field(default_factory=list)

    def go(self, address: str) -> "Tab":
        """Open an address of the page, make its room if it is not there, and wait until the place is shown."""
        self.page.goto(self.web.url + address)
        make = self.page.locator("#missing:not([hidden]) .primary")
        expect(self.page.locator(SHOWN).or_(make)).to_have_count(1)
        if make.count():
            make.click()
        return self.ready()

    def ready(self) -> "Tab":
        expect(self.page.locator(SHOWN)).to_have_count(1)
        expect(self.page.locator("#banner")).to_be_hidden()
        return self

    @property
    def line(self) -> Locator:
        """Where one types."""
        return self.page.locator("#composer textarea")

    @property
    def timeline(self) -> Locator:
        return self.page.locator("#timeline")

    @property
    def messages(self) -> Locator:
        return self.timeline.locator("article[data-seq]")

    def message(self, text: str) -> Locator:
        return self.messages.filter(has_text=text)

    def say(self, text: str) -> None:
        self.line.fill(text)
        self.line.press("Enter")

    def see(self, text: str) -> Locator:
        """Wait until a stored message with this text is there."""
        found = self.message(text)
        expect(found.first).to_be_visible()
        return found

    def shows(self, texts: list[str]) -> None:
        """Wait until these are the texts of all messages."""
        expect(self.messages.locator(".text")).to_have_text(texts)

    def texts(self) -> list[str]:
        """Return the texts of all messages that are in the page now."""
        return [text.strip() for text in self.messages.locator(".text").all_inner_texts()]

    def press(self, message: Locator, label: str) -> None:
        """Press a button of the bar over a message, which goes elsewhere if the message moves from under the mouse."""
        button = message.get_by_label(label, exact=True)

        def pressed() -> bool:
            message.hover()
            return at_once(button)

        wait_for(pressed, label)

    def offers(self, opens: Locator) -> Locator:
        """Open a menu, and return what it offers. A button that is drawn anew while the mouse is down opens nothing."""
        entries = self.page.get_by_role("menuitem")
        wait_for(lambda: entries.count() or (at_once(opens) and entries.count()), "a menu")
        return entries

    def choose(self, opens: Locator, name: str) -> None:
        """Choose something of a menu."""
        self.offers(opens).filter(has_text=name).click()


@dataclass
class Visitor(Tab):
    """Somebody in a browser: a context of their own, with one tab or several."""

    context: BrowserContext = field(kw_only=True)
    nick: str = field(kw_only=True)
    tabs: list[Tab] = field(default_factory=list)

    def tab(self, address: str) -> Tab:
        tab = Tab(self.context.new_page(), self.web, self.faults)
        watch(tab.page, self.faults)
        self.tabs.append(tab)
        return tab.go(address)


def at_once(button: Locator) -> bool:
    """Press a button if it is there, in one step: whoever waits for it with an end does not know if it was pressed."""
    return bool(button.evaluate_all("(found) => found.slice(0, 1).map((one) => one.click()).length"))


def until(page: Page, function: str) -> None:
    """Wait until a function of JavaScript returns something true, or what will be.

    Playwright's `wait_for_function` evaluates a text within the page, which the page's policy forbids: it works only if
    it need not wait.
    """
    wait_for(lambda: page.evaluate(function), function, LONG)


def watch(page: Page, faults: list[str]) -> None:
    """Keep what goes wrong in a page; that a connection is lost is no fault."""

    def printed(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not any(word in message.text for word in LOST):
            faults.append(f"{message.type}: {message.text} ({message.location.get('url')})")

    page.on("console", printed)
    page.on("pageerror", lambda error: faults.append(f"thrown: {error} {error.stack}"))


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    """Return Playwright's driver; its event loop runs in this thread, so no test of this folder may run one."""
    if not Path(CHROMIUM).exists():
        pytest.skip("needs a browser: apt install chromium")
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="package")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Return one Chromium for all tests of this folder."""
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
    yield browser
    browser.close()


@pytest.fixture(scope="package")
def module_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return an environment in which every folder of zchat's belongs to the tests of this folder."""
    home = tmp_path_factory.mktemp("web-home")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ZCHAT_", "XDG_"))}
    return kept | {"HOME": str(home), "ZCHAT_LOG_DIR": str(home / "log"), "LC_ALL": "C.UTF-8"} | folders_of(home)


@pytest.fixture(scope="package")
def open_broker(tmp_path_factory: pytest.TempPathFactory, module_environment: dict[str, str]) -> Iterator[Broker]:
    """Return a broker on loopback, which lets guests in."""
    patient = ("--rate", "0", "--grace", "600")  # also with who says nothing for long, on a slow machine
    broker = Broker(tmp_path_factory.mktemp("open"), patient, module_environment)
    broker.start()
    yield broker
    assert broker.stop() == 0


@pytest.fixture(scope="package")
def web(
    tmp_path_factory: pytest.TempPathFactory, open_broker: Broker, module_environment: dict[str, str]
) -> Iterator[Web]:
    """Return a gateway to the broker that lets guests in."""
    web = Web(tmp_path_factory.mktemp("web"), module_environment, open_broker.listen)
    web.start()
    yield web
    assert web.stop() == 0, web.output("stderr")


StartWeb = Callable[..., Web]


@pytest.fixture
def start_web(tmp_path: Path, environment: dict[str, str]) -> Iterator[StartWeb]:
    """Start gateways of a test's own: `start_web(broker, *options)`; `broker` is a Broker or an address."""
    running: list[Web] = []

    def start(broker: Broker | str, *args: str) -> Web:
        where = broker if isinstance(broker, str) else broker.listen
        web = Web(tmp_path / f"web-{len(running)}", environment, where, args)
        running.append(web)
        web.start()
        return web

    yield start
    for web in running:
        if web.process.poll() is None:
            web.process.send_signal(signal.SIGCONT)
            web.stop()


def listens_at(pid: int) -> int:
    """Return the port at which a process listens."""
    (port,) = [one.laddr.port for one in psutil.Process(pid).net_connections("tcp") if one.status == psutil.CONN_LISTEN]
    return int(port)


@pytest.fixture(scope="package")
def _cabled(
    tmp_path_factory: pytest.TempPathFactory, open_broker: Broker, module_environment: dict[str, str]
) -> Iterator[tuple[Web, Cable]]:
    cable = Cable()
    url = f"http://127.0.0.1:{cable.proxy.port}"
    web = Web(tmp_path_factory.mktemp("cabled"), module_environment, open_broker.listen, ("--url", url), seen_as=url)
    web.start()
    cable.proxy.upstream = listens_at(web.process.pid)
    yield web, cable
    assert web.stop() == 0, web.output("stderr")
    cable.close()


@pytest.fixture
def cable(_cabled: tuple[Web, Cable]) -> Iterator[Cable]:
    """Return the cable of `cabled`, which is whole again when the test ends."""
    yield _cabled[1]
    _cabled[1].heal()


@pytest.fixture
def cabled(_cabled: tuple[Web, Cable]) -> Web:
    """Return a gateway that browsers reach by `cable` alone."""
    return _cabled[0]


Visit = Callable[..., Visitor]


def come_in(context: BrowserContext, web: Web, **body: str) -> None:
    """Come in as the page does: with a nick as a guest, or with a code."""
    headers = {"X-Zchat": "1", "Origin": web.url, "Content-Type": "application/json", "X-Forwarded-For": unique("at")}
    answer = context.request.post(f"{web.url}/in", data=json.dumps(body), headers=headers)
    assert answer.ok, f"{answer.status}: {answer.text()}"


@pytest.fixture
def visit(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """Bring somebody to the page: `visit("alice", "/room/dev", web=…, phone=True, color_scheme="dark", code=…)`."""
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def come(nick: str, address: str = "/", web: Web | None = None, code: str = "", **options: Any) -> Visitor:
        where = web or request.getfixturevalue("web")
        script = options.pop("init_script", "")
        phone = {"viewport": PHONE, "is_mobile": True, "has_touch": True} if options.pop("phone", False) else {}
        settings = {"viewport": WIDE, "locale": "en-US", "timezone_id": "UTC", **phone, **options}
        context = browser.new_context(**settings)
        context.set_default_timeout(LONG * 1000)
        contexts.append(context)
        if script:
            context.add_init_script(script)
        nick = unique(nick)  # the gateway keeps those of the tests before
        come_in(context, where, nick=nick, **({"code": code} if code else {}))
        visitor = Visitor(context.new_page(), where, faults, context=context, nick=nick)
        watch(visitor.page, faults)
        visitor.go(address)
        return visitor

    yield come
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture
def room() -> str:
    """Return the name of a room that no other test uses."""
    return unique("room")


@pytest.fixture
def others(open_broker: Broker) -> Iterator[Net]:
    """Return peers around the broker, who talk without a page: `others.session("bob").say("hi", room=room)`."""
    net = Net(open_broker.listen, open_broker.publish)
    yield net
    net.leave(PATIENCE)
    net.close()
    assert net.faults == []
