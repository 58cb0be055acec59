"""What one has begun to write is there again: after a reload, in another room and back, in threads, after a crash."""

import contextlib
import signal
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import BrowserContext, Playwright, expect

from tests.conftest import PATIENCE, wait_for
from tests.gateways.web.page.conftest import CHROMIUM, QUIET, Tab, Visit, Web, come_in, needs_chromium
from tests.integration.raw import Net, unique

pytestmark = needs_chromium

# What the page has given to IndexedDB is written, as it is a moment after the last key.
WRITTEN = """() => new Promise((done) => {
  const asked = indexedDB.open('zchat');
  asked.onsuccess = () => {
    const after = asked.result.transaction('kept', 'readwrite');
    after.objectStore('kept').get('');
    after.oncomplete = () => done();
  };
})"""
COMPOSITION = {"selectionStart": 2, "selectionEnd": 2}


def reload(tab: Tab) -> None:
    tab.page.reload()
    tab.ready()


def test_a_draft_survives_a_reload_and_a_turn_to_another_room(visit: Visit, room: str) -> None:
    alice = visit("alice", f"/room/{room}")
    alice.line.fill("half a\nthought")
    reload(alice)
    expect(alice.line).to_have_value("half a\nthought")
    alice.go(f"/room/{room}-2")
    expect(alice.line).to_have_value("")
    alice.line.fill("another")
    alice.page.go_back()
    expect(alice.line).to_have_value("half a\nthought")
    alice.line.press("Enter")
    alice.see("thought")
    expect(alice.line).to_have_value("")
    reload(alice)
    expect(alice.line).to_have_value("")
    alice.go(f"/room/{room}-2")
    expect(alice.line).to_have_value("another")


def test_a_thread_and_an_edit_have_drafts_of_their_own(visit: Visit, room: str) -> None:
    alice = visit("alice", f"/room/{room}")
    alice.say("the root")
    seq = alice.see("the root").first.get_attribute("data-seq")
    alice.line.fill("for the room")
    alice.go(f"/room/{room}?thread={seq}")
    answer = alice.page.locator("#thread textarea")
    answer.fill("for the thread")
    reload(alice)
    expect(answer).to_have_value("for the thread")
    expect(alice.line).to_have_value("for the room")
    alice.line.fill("")
    alice.line.press("ArrowUp")
    expect(alice.line).to_have_value("the root")
    alice.line.fill("the root, mended")
    reload(alice)
    expect(alice.line).to_have_value("the root, mended")
    alice.line.press("Enter")
    alice.shows(["the root, mended (edited)"])  # and nothing was said
    expect(alice.line).to_have_value("")


def test_a_draft_is_the_same_in_two_tabs(visit: Visit, room: str) -> None:
    alice = visit("alice", f"/room/{room}")
    other = alice.tab(f"/room/{room}")
    alice.line.fill("begun in one tab")
    expect(other.line).to_have_value("begun in one tab")
    alice.line.press("Enter")
    expect(other.line).to_have_value("")
    other.see("begun in one tab")


def browser_of(folder: Path) -> psutil.Process | None:
    """Return the main process of the Chromium with this profile."""
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            words = process.cmdline()
            if f"--user-data-dir={folder}" in words and not any(word.startswith("--type=") for word in words):
                return process
    return None


def open_profile(playwright: Playwright, folder: Path) -> BrowserContext:
    return playwright.chromium.launch_persistent_context(folder, executable_path=CHROMIUM, args=list(QUIET))


def test_a_draft_survives_a_browser_that_is_killed(playwright: Playwright, web: Web, room: str, tmp_path: Path) -> None:
    profile = tmp_path / "profile"
    context = open_profile(playwright, profile)
    come_in(context, web, nick=unique("dora"))
    context.close()  # the cookie is on the disk, as it is after half a minute
    context = open_profile(playwright, profile)
    dora = Tab(context.new_page(), web).go(f"/room/{room}")
    dora.line.press_sequentially("my last words")
    dora.page.evaluate(WRITTEN)
    process = wait_for(lambda: browser_of(profile), "the browser's process")
    process.send_signal(signal.SIGKILL)
    process.wait(PATIENCE)
    context = open_profile(playwright, profile)
    again = Tab(context.new_page(), web).go(f"/room/{room}")
    expect(again.line).to_have_value("my last words")
    context.close()


def test_enter_that_ends_a_composition_does_not_send(visit: Visit, room: str, others: Net) -> None:
    alice = visit("alice", f"/room/{room}")
    keys = alice.context.new_cdp_session(alice.page)
    enter = {"windowsVirtualKeyCode": 229, "code": "Enter", "key": "Enter"}
    alice.line.focus()
    keys.send("Input.imeSetComposition", {"text": "にほ", **COMPOSITION})
    keys.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", **enter})
    keys.send("Input.insertText", {"text": "日本"})  # what the method editor does with this Enter
    keys.send("Input.dispatchKeyEvent", {"type": "keyUp", **enter})
    expect(alice.line).to_have_value("日本")
    # Safari ends the composition before the key: then nothing but its code tells
    alice.line.evaluate("""(line) => line.dispatchEvent(
        new KeyboardEvent('keydown', {key: 'Enter', keyCode: 229, bubbles: true, cancelable: true}))""")
    expect(alice.line).to_have_value("日本")
    alice.line.press("Enter")
    alice.shows(["日本"])


@pytest.mark.parametrize("text", ["tab\tand  two spaces\n\n\n  <b>not bold</b>\r\n* star", "\u202e right to left שלום"])
def test_pasted_text_stays_as_it_is(visit: Visit, room: str, others: Net, text: str) -> None:
    alice = visit("alice", f"/room/{room}", permissions=["clipboard-read", "clipboard-write"])
    alice.page.evaluate("(text) => navigator.clipboard.writeText(text)", text)
    alice.line.press("Control+v")
    expected = text.replace("\r\n", "\n")
    expect(alice.line).to_have_value(expected)
    alice.line.press("Enter")
    expect(alice.messages).to_have_count(1)
    bob = others.session("bob", room)
    (event,) = bob.history(room=room, limit=1)["events"]
    assert event["text"] == expected
