"""Takes the picture of the page for the README: `.venv/bin/python scripts/page.py`, from the root of the checkout.

A real broker, a real gateway and Debian's Chromium; a few people talk as a team does, and what alice's browser shows is
the picture. WebP, since it is a quarter of a PNG; light, as a README is.
"""

import base64
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from playwright.sync_api import BrowserContext, Page, sync_playwright

from tests.conftest import Broker, folders_of
from tests.gateways.web.browser import Gateway
from tests.gateways.web.page.conftest import CHROMIUM, QUIET
from tests.integration.test_cli_network import owner_link, without_code

OUT = Path("scripts/page.webp")
SIZE = {"width": 1240, "height": 790}
CODE = """The check before each deploy, so that nobody has to remember it:

```python
def ready(build: Build) -> bool:
    return build.green and build.signed_by(OWNERS)
```"""
# who, where, what; a reaction is told as (who, emoji, to which line)
SAID: list[tuple[str, str, str]] = [
    ("carol", "general", "Good morning! Coffee is on the third floor today."),
    ("bob", "ops", "The disk of the build machine is at 80 %. I clean it up."),
    ("bob", "dev", "**4.2** is tagged. Notes: https://example.org/releases/4.2"),
    ("carol", "dev", CODE),
    ("alice", "dev", "Nice. Does it know of the freeze on Friday?"),
    ("carol", "dev", "It does, ~~since today~~ since yesterday 🙂"),
    ("bob", "dev", "@alice shall I deploy after lunch, or do we wait for the translations?"),
    ("dave", "design", "New icons are up for review."),
]
ANSWERS = [("carol", 6, "They are in; I read them this morning."), ("alice", 6, "Then after lunch.")]
REACTIONS = [("carol", 2, "🎉"), ("dave", 2, "🎉"), ("alice", 2, "🎉"), ("alice", 3, "👍"), ("bob", 3, "👍")]
ROOMS = ["design", "dev", "general", "ops"]


def come_in(context: BrowserContext, url: str, **body: str) -> Page:
    headers = {"X-Zchat": "1", "Origin": url, "Content-Type": "application/json"}
    answer = context.request.post(f"{url}/in", data=json.dumps(body), headers=headers)
    assert answer.ok, answer.text()
    page = context.new_page()
    page.goto(url)
    page.locator("#composer textarea:enabled").wait_for()
    ask(page, type="join", room="dev")
    page.goto(f"{url}/room/dev")
    page.locator("#composer textarea:enabled").wait_for()
    return page


def ask(page: Page, **command: Any) -> Any:
    return page.evaluate("(command) => import('/assets/wire.js').then(({ wire }) => wire.ask(command))", command)


def act(pages: dict[str, Page]) -> None:
    """Say what is to be seen."""
    for page in pages.values():
        for room in ROOMS:
            ask(page, type="join", room=room)
    ask(pages["alice"], type="topic", room="dev", text="What we build, and when it is out")
    seqs = [ask(pages[who], type="say", room=room, text=text)["seq"] for who, room, text in SAID]
    for who, line, text in ANSWERS:
        ask(pages[who], type="say", room="dev", text=text, reply_to=seqs[line])
    for who, line, emoji in REACTIONS:
        ask(pages[who], type="react", seq=seqs[line], emoji=emoji)
    me = ask(pages["alice"], type="who", nick="alice")["members"][0]["from"]
    ask(pages["carol"], type="say", to="alice", **{"with": me}, text="Lunch at twelve?")


def picture(page: Page) -> bytes:
    """Return the page as WebP, with the thread of the question beside the room."""
    page.reload()
    page.get_by_role("button", name="2 answers").click()
    page.locator("#thread article").nth(2).wait_for()
    page.locator("#composer textarea").focus()
    page.mouse.move(0, 0)
    page.wait_for_timeout(1500)  # what is new is marked, and then read
    session = page.context.new_cdp_session(page)
    taken = session.send("Page.captureScreenshot", {"format": "webp", "quality": 88})
    return base64.b64decode(taken["data"])


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        home = Path(folder)
        env = {"PATH": "/usr/bin:/bin", "HOME": folder, "LC_ALL": "C.UTF-8", **folders_of(home)}
        broker = Broker(home, (), env, listen="zchat://127.0.0.1:0")
        broker.start()
        link = owner_link(broker)
        gateway = Gateway(home / "web", env, without_code(link))
        gateway.start()
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        settings: dict[str, Any] = {"viewport": SIZE, "device_scale_factor": 1.5, "locale": "en-GB"}
        try:
            alice = come_in(browser.new_context(**settings), gateway.url, code=link.rpartition("/")[2], nick="alice")
            pages = {"alice": alice}
            for nick in ("bob", "carol", "dave"):
                code = ask(alice, type="invite")["code"]
                pages[nick] = come_in(browser.new_context(**settings), gateway.url, code=code, nick=nick)
            act(pages)
            OUT.write_bytes(picture(alice))
        finally:
            browser.close()
            gateway.stop()
            broker.stop()
    print(f"{OUT}: {OUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
