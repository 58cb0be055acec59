"""Files: pasted, dropped and chosen; what is pasted as an image can be taken back, and nothing stays behind."""

import hashlib
from pathlib import Path

from playwright.sync_api import Locator, Route, expect

from tests.conftest import wait_for
from tests.gateways.web.page.conftest import LASTING, Cable, Tab, Visit, Web, needs_chromium
from tests.integration.raw import Net

pytestmark = needs_chromium

COPY_IMAGE = """async ([width, height]) => {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d');
  context.fillStyle = '#3358c4';
  context.fillRect(0, 0, width, height);
  await navigator.clipboard.write([new ClipboardItem({ 'image/png': await canvas.convertToBlob() })]);
}"""
PASTE_BOTH = """(line) => {
  const both = new DataTransfer();
  both.setData('text/plain', 'a\\tb');
  both.items.add(new File(['picture'], 'image.png', { type: 'image/png' }));
  return line.dispatchEvent(new ClipboardEvent('paste', { clipboardData: both, bubbles: true, cancelable: true }));
}"""
DROP = """(area, [name, text]) => {
  const carried = new DataTransfer();
  carried.items.add(new File([text], name, { type: 'text/plain' }));
  for (const type of ['dragenter', 'dragover', 'drop'])
    area.dispatchEvent(new DragEvent(type, { dataTransfer: carried, bubbles: true, cancelable: true }));
}"""
CLIPBOARD = ["clipboard-read", "clipboard-write"]


def chips(tab: Tab) -> Locator:
    return tab.page.locator("#composer .chip")


def uploaded(tab: Tab, count: int = 1) -> None:
    expect(chips(tab)).to_have_count(count)
    expect(chips(tab).locator("progress:not([hidden])")).to_have_count(0)


def test_a_pasted_image_is_an_upload_that_can_be_taken_back(visit: Visit, room: str, others: Net) -> None:
    alice = visit("alice", f"/room/{room}", permissions=CLIPBOARD)
    alice.page.evaluate(COPY_IMAGE, [300, 200])
    alice.line.press("Control+v")
    uploaded(alice)
    assert alice.line.input_value() == ""
    alice.page.get_by_role("button", name="Take pasted").click()
    expect(chips(alice)).to_have_count(0)
    alice.say("no picture")
    alice.see("no picture")
    alice.line.press("Control+v")
    uploaded(alice)
    alice.page.reload()
    alice.ready()
    uploaded(alice)
    alice.line.fill("a picture")
    alice.line.press("Enter")
    picture = alice.see("a picture").locator("img")
    expect(picture).to_have_js_property("complete", True)
    assert picture.evaluate("(image) => [image.naturalWidth, image.naturalHeight]") == [300, 200]
    expect(chips(alice)).to_have_count(0)
    told = others.session("bob").history(room=room)["events"]
    assert ["files" in event for event in told] == [False, True]
    (file,) = told[1]["files"]
    assert (file["type"], file["width"], file["height"]) == ("image/png", 300, 200)


def test_a_table_that_is_copied_with_its_picture_is_pasted_as_text(visit: Visit, room: str) -> None:
    alice = visit("alice", f"/room/{room}")
    assert alice.line.evaluate(PASTE_BOTH), "the browser pastes the text"
    expect(chips(alice)).to_have_count(0)


def test_files_are_dropped_and_chosen_and_arrive_as_they_are(visit: Visit, room: str, tmp_path: Path) -> None:
    alice, bob = visit("alice", f"/room/{room}"), visit("bob", f"/room/{room}")
    big = bytes(range(256)) * 4_000
    (tmp_path / "big one.bin").write_bytes(big)
    alice.page.locator("#middle").evaluate(DROP, ["notes <b>.txt", "written down"])
    with alice.page.expect_file_chooser() as chosen:
        alice.page.get_by_role("button", name="Attach files").first.click()
    chosen.value.set_files(tmp_path / "big one.bin")
    expect(chips(alice)).to_have_count(2)
    alice.line.press("Enter")  # also while they are on their way: it is sent when they are there
    link = bob.timeline.get_by_role("link", name="big one.bin")
    expect(link).to_be_visible()
    expect(bob.timeline.get_by_role("link", name="notes <b>.txt")).to_be_visible()
    with bob.page.expect_download() as got:
        link.click()
    assert hashlib.sha256(got.value.path().read_bytes()).digest() == hashlib.sha256(big).digest()


def test_an_upload_waits_for_the_connection(visit: Visit, room: str, cabled: Web, cable: Cable) -> None:
    alice = visit("alice", f"/room/{room}", web=cabled)
    cable.cut()
    alice.context.set_offline(True)
    expect(alice.page.locator("#banner")).to_be_visible()
    alice.page.locator("#middle").evaluate(DROP, ["later.txt", "all in good time"])
    expect(chips(alice)).to_contain_text("Waits for the connection")
    alice.line.fill("with a file")
    alice.line.press("Enter")
    alice.context.set_offline(False)  # before: it goes on when the page is connected again
    cable.heal()
    expect(alice.timeline.get_by_role("link", name="later.txt")).to_be_visible()
    alice.see("with a file")


def test_what_is_to_be_sent_later_is_not_sent_when_its_file_is_there(visit: Visit, room: str) -> None:
    alice = visit("alice", f"/room/{room}", init_script=LASTING)
    held: list[Route] = []
    alice.page.route("**/files?name=*", lambda route: held.insert(0, route))
    alice.page.locator("#middle").evaluate(DROP, ["plan.txt", "all in good time"])
    alice.line.fill("for tomorrow")
    alice.choose(alice.page.locator("#place-menu"), "Send later")
    alice.page.get_by_role("button", name="Tomorrow").click()
    expect(alice.page.locator(".toast", has_text="as soon as the upload is done")).to_be_visible()
    wait_for(lambda: alice.page.title() and held, "the upload")  # what is asked of the page lets the handler run
    held.pop().continue_()
    expect(alice.page.locator(".toast", has_text="will be said then")).to_be_visible()
    expect(alice.messages).to_have_count(0)


def test_a_chosen_file_goes_to_where_it_was_chosen_for(visit: Visit, room: str, tmp_path: Path) -> None:
    alice = visit("alice", f"/room/{room}-other")
    alice.go(f"/room/{room}")
    (tmp_path / "plan.txt").write_text("for this room alone")
    with alice.page.expect_file_chooser() as chosen:
        alice.page.get_by_role("button", name="Attach files").first.click()
    alice.page.locator(f'#side [data-key="room/{room}-other"] a').click()
    expect(alice.line).to_have_attribute("placeholder", f"Message #{room}-other")
    chosen.value.set_files(tmp_path / "plan.txt")
    alice.page.go_back()
    uploaded(alice)
    alice.page.go_forward()
    expect(alice.line).to_have_attribute("placeholder", f"Message #{room}-other")
    expect(chips(alice)).to_have_count(0)
