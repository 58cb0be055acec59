"""The shell: what a phone installs, and a service worker that is never older than the server."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.conftest import Broker
from tests.gateways.web.page.conftest import Tab, Visit, Web, come_in, needs_chromium, until
from tests.integration.raw import unique

pytestmark = needs_chromium

CACHED = "async () => (await (await caches.open('shell')).keys()).map(({ url }) => new URL(url).pathname)"
FIRST_SIGHT = 111_000  # bytes of scripts and styles, without compression


@pytest.fixture
def versions(tmp_path: Path, module_environment: dict[str, str], open_broker: Broker) -> Iterator[tuple[Web, Path]]:
    """Return a gateway of a copy of zchat, whose page a test may change, and the folder of the page."""
    package = Path(__file__).parents[4] / "zchat"
    shutil.copytree(package, tmp_path / "copy" / "zchat")
    copied = module_environment | {"PYTHONPATH": str(tmp_path / "copy"), "PYTHONSAFEPATH": "1"}
    web = Web(tmp_path / "web", copied, open_broker.listen)
    web.start()
    yield web, tmp_path / "copy" / "zchat" / "gateways" / "web" / "page"
    web.stop()


def ready(tab: Tab) -> None:
    """Wait until the worker has the shell."""
    tab.page.evaluate("() => navigator.serviceWorker.ready")
    until(tab.page, f"async () => (await ({CACHED})()).includes('/')")  # it comes last


def test_an_update_is_there_at_once_and_the_shell_without_a_server(
    visit: Visit, room: str, versions: tuple[Web, Path]
) -> None:
    web, page = versions
    alice = visit("alice", f"/room/{room}", web=web)
    ready(alice)
    web.kill()
    style = page / "style.css"
    style.write_text(style.read_text() + "\n:root { --version: 2; }\n")
    alice.page.goto(f"{web.url}/room/{room}")
    expect(alice.page.locator("#banner")).to_contain_text("Connecting")
    version = "() => getComputedStyle(document.documentElement).getPropertyValue('--version').trim()"
    assert alice.page.evaluate(version) == "", "out of the cache"
    web.start()
    alice.ready()
    alice.page.reload()
    alice.ready()
    assert alice.page.evaluate(version) == "2"


def test_the_worker_keeps_the_shell_and_nothing_of_what_was_said(visit: Visit, room: str) -> None:
    alice = visit("alice", f"/room/{room}")
    ready(alice)
    alice.say("a secret")
    alice.see("a secret")
    alice.go(f"/room/{room}")
    alice.see("a secret")
    ready(alice)
    kept = alice.page.evaluate(CACHED)
    assert "/" in kept
    assert {path.split("/")[1] for path in kept} == {"", "assets"}
    texts = alice.page.evaluate("""async () => {
        const cache = await caches.open('shell');
        return Promise.all((await cache.keys()).map(async (key) => (await cache.match(key)).text()));
    }""")
    assert not any("a secret" in text for text in texts)


def test_a_login_works_as_without_a_worker(visit: Visit, room: str) -> None:
    alice = visit("alice", f"/room/{room}")
    ready(alice)
    alice.say("before")
    alice.see("before")
    alice.line.fill("half a thought of alice")
    alice.page.get_by_role("button", name="Settings").click()
    alice.page.get_by_role("button", name="Log this browser out").click()
    alice.page.get_by_role("button", name="Log out").click()
    nick = alice.page.get_by_label("Your nick")
    expect(nick).to_be_visible()
    kept = "() => import('/assets/kept.js').then(({ kept }) => kept.open().then(() => kept.under('').length))"
    assert alice.page.evaluate(kept) == 0, "nothing of alice is left in the browser"
    nick.fill(unique("again"))
    nick.press("Enter")
    alice.ready()
    alice.go(f"/room/{room}")
    alice.see("before")


def test_a_phone_can_install_it(visit: Visit, room: str) -> None:
    alice = visit("alice", f"/room/{room}", phone=True)
    ready(alice)
    session = alice.context.new_cdp_session(alice.page)
    errors = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
    assert [one["errorId"] for one in errors] == ["in-incognito"], "nothing stands in the way but that this is a test"
    told = session.send("Page.getAppManifest")
    assert told["errors"] == []
    icons = json.loads(told["data"])["icons"]
    assert "maskable" in {icon.get("purpose") for icon in icons}
    for icon in icons:
        answer = alice.context.request.get(alice.web.url + icon["src"])
        assert answer.headers["content-type"] == icon["type"], icon["src"]


def test_the_page_asks_nobody_else_and_is_small(visit: Visit, room: str) -> None:
    alice = visit("alice", f"/room/{room}")
    ready(alice)
    asked: list[str] = []
    alice.page.on("request", lambda request: asked.append(request.url))
    alice.go(f"/room/{room}")
    until(alice.page, "() => performance.getEntriesByName('sight').length")
    assert {url for url in asked if not url.startswith(alice.web.url)} == set()
    loaded = alice.page.evaluate("""() => {
        const [{ startTime: sight }] = performance.getEntriesByName('sight');
        const before = performance.getEntriesByType('resource').filter((one) => one.startTime < sight);
        const sizes = before.map(({ name, decodedBodySize }) => (/\\.(js|css)$/.test(name) ? decodedBodySize : 0));
        return sizes.reduce((sum, size) => sum + size, 0);
    }""")
    assert 90_000 < loaded < FIRST_SIGHT
    there = "performance.getEntriesByType('resource').some((one) => one.name.endsWith('/switcher.js'))"
    until(alice.page, f"() => {there}")  # before Ctrl-K: what is typed behind it is for it


def test_who_is_out_sees_the_login_and_not_the_last_page(visit: Visit, room: str, web: Web) -> None:
    alice = visit("alice", f"/room/{room}")
    ready(alice)
    alice.context.clear_cookies()
    alice.page.reload()
    expect(alice.page.get_by_label("Your nick")).to_be_visible()
    context: BrowserContext = alice.context
    come_in(context, web, nick=unique("back"))
    alice.go(f"/room/{room}")
