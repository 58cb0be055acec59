"""What one reads stays where it is, and a room of 100,000 messages costs no more than what is on the screen."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import PATIENCE, Broker, wait_for
from tests.gateways.web.page.conftest import Tab, Visit, Visitor, needs_chromium, until
from tests.integration.raw import Net, unique

pytestmark = needs_chromium

MANY = 100_000
ROWS = 200  # … in the page at most, whatever one does
NODES = 8_000
HEAP = 40_000_000  # bytes of JavaScript: a page with twelve messages has 4 MB
FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
MIDDLE = """() => {
  const box = document.querySelector('#timeline .scroller').getBoundingClientRect();
  const all = [...document.querySelectorAll('#timeline article')];
  const found = all.find((one) => one.getBoundingClientRect().top > box.top + box.height / 2);
  return [Number(found.dataset.seq), found.getBoundingClientRect().top];
}"""
TOP_OF = """(seq) => {
  const found = document.querySelector(`#timeline article[data-seq="${seq}"]`);
  return found ? found.getBoundingClientRect().top : null;
}"""
SCROLLER = "#timeline .scroller"
PICTURE = """async (room) => {
  const canvas = new OffscreenCanvas(400, 300);
  canvas.getContext('2d').fillRect(0, 0, 400, 300);
  const blob = await canvas.convertToBlob();
  const headers = { 'X-Zchat': '1', 'Content-Type': 'image/png' };
  const measured = await (await fetch('/files?name=measured.png', { method: 'PUT', headers, body: blob })).json();
  const { width, height, ...unmeasured } = measured;
  const { wire } = await import('/assets/wire.js');
  await wire.ask({ type: 'say', room, text: 'measured', files: [measured] });
  await wire.ask({ type: 'say', room, text: 'unmeasured', files: [{ ...unmeasured, name: 'unmeasured.png' }] });
}"""


def drawn(page: Page) -> None:
    page.evaluate(FRAMES)


def scroll_by(tab: Tab, pixels: int) -> None:
    tab.page.locator(SCROLLER).evaluate("(scroller, by) => scroller.scrollBy(0, by)", pixels)
    drawn(tab.page)


def stays(tab: Tab, seq: int, top: float) -> None:
    drawn(tab.page)
    now = tab.page.evaluate(TOP_OF, seq)
    assert now is not None, f"message {seq} is not in the page any more"
    assert abs(now - top) <= 2, f"message {seq} was at {top:.0f} px, and is at {now:.0f} px"


def test_what_one_reads_stays_when_something_comes_or_loads(visit: Visit, room: str, others: Net) -> None:
    bob = others.session("bob", room)
    bob.say_all([f"line {n}\n" + "more\n" * (n % 5) for n in range(300)], room=room)
    alice = visit("alice", f"/room/{room}")
    alice.see("line 299")
    scroll_by(alice, -1500)
    seq, top = alice.page.evaluate(MIDDLE)
    bob.say_all([f"new {n}" for n in range(5)], room=room)
    wait_for(lambda: "5" in alice.page.locator(f'[data-key="room/{room}"] .badge').inner_text(), "the count")
    stays(alice, seq, top)
    bob.ask("ack", type="edit", n=bob.number(), seq=seq - 30, text="edited\n" * 12)
    wait_for(lambda: alice.page.get_by_text("edited", exact=False).count(), "the edit")
    stays(alice, seq, top)
    bob.ask("ack", type="react", n=bob.number(), seq=seq - 31, emoji="👍")
    wait_for(lambda: alice.timeline.get_by_text("👍").count(), "the reaction")
    stays(alice, seq, top)
    before = alice.page.evaluate("() => Number(document.querySelector('#timeline article').dataset.seq)")
    scroll_by(alice, -2500)
    seq, top = alice.page.evaluate(MIDDLE)
    wait_for(
        lambda: alice.page.evaluate("() => Number(document.querySelector('#timeline article').dataset.seq)") < before,
        "older messages",
    )
    expect(alice.page.locator("#timeline .loading-older")).not_to_be_in_viewport()
    stays(alice, seq, top)


def test_an_image_that_loads_moves_nothing(visit: Visit, room: str, others: Net) -> None:
    bob = visit("bob", f"/room/{room}")
    talk = others.session("carol", room)
    talk.say_all([f"line {n}" for n in range(30)], room=room)
    bob.page.evaluate(PICTURE, room)
    talk.say_all([f"line {n}" for n in range(30, 60)], room=room)
    # requests through a service worker are not seen by `route`
    alice = visit("alice", f"/room/{room}-elsewhere", service_workers="block")
    gate: list[bool] = []
    alice.page.route("**/files/**", lambda route: route.continue_() if gate else held.append(route))
    held: list = []  # type: ignore[type-arg]
    alice.page.locator("#side").wait_for()
    alice.page.evaluate("(key) => import('/assets/routes.js').then(({ go }) => go({ key }))", f"room/{room}")
    alice.see("line 59")

    def come_near() -> bool:
        if alice.timeline.locator("img").count() == 2 and alice.page.evaluate(IN_SIGHT):
            return True
        scroll_by(alice, -200)
        return False

    wait_for(come_near, "the images to be in sight")
    seq, top = alice.page.evaluate(MIDDLE)
    boxes = alice.page.evaluate(BOXES)
    wait_for(lambda: alice.page.evaluate("1") and len(held) == 2, "the images to be asked for")
    gate.append(True)
    for route in held:
        route.continue_()
    until(
        alice.page,
        "() => [...document.querySelectorAll('#timeline img')].every((one) => one.complete && one.naturalWidth)",
    )
    stays(alice, seq, top)
    assert alice.page.evaluate(BOXES) == boxes, "they had their places before they were here"


BOXES = """() => [...document.querySelectorAll('#timeline img')].map((one) => {
  const { width, height } = one.parentElement.getBoundingClientRect();
  return [one.alt, width, height];
})"""
IN_SIGHT = """() => [...document.querySelectorAll('#timeline img')].every((one) => {
  const box = document.querySelector('#timeline .scroller').getBoundingClientRect();
  const { top, bottom } = one.getBoundingClientRect();
  return bottom > box.top - 600 && top < box.bottom;
})"""


def test_at_the_end_the_page_follows(visit: Visit, room: str, others: Net) -> None:
    bob = others.session("bob", room)
    bob.say_all([f"line {n}" for n in range(100)], room=room)
    alice = visit("alice", f"/room/{room}")
    for text in ("one", "two\n" * 20, "three"):
        bob.say(text, room=room)
        expect(alice.see(text.split("\n")[0]).first).to_be_in_viewport()
    expect(alice.see("three").first).to_be_in_viewport()
    alice.page.set_viewport_size({"width": 700, "height": 500})
    drawn(alice.page)
    expect(alice.see("three").first).to_be_in_viewport()
    alice.page.evaluate("() => import('/assets/routes.js').then(({ go }) => go({ key: 'room/general' }))")
    expect(alice.page).to_have_title(re.compile("general"))
    bob.say_all([f"unread {n}" for n in range(60)], room=room)
    line = alice.page.locator(f'#side-list [data-key="room/{room}"]')
    expect(line.locator(".badge")).to_have_text("60")
    line.get_by_role("link").click()
    expect(alice.page.locator(".line.new")).to_be_in_viewport()
    expect(alice.message("unread 59")).not_to_be_in_viewport()


@pytest.fixture(scope="module")
def long_room(open_broker: Broker) -> str:
    """Return a room in which a hundred thousand messages were said."""
    room = unique("long")
    net = Net(open_broker.listen, open_broker.publish)
    bob = net.session("historian", room)
    for start in range(0, MANY, 10_000):
        bob.say_all([f"message {n} of many" for n in range(start, start + 10_000)], room=room)
    net.leave()
    net.close()
    return room


def cost(alice: Visitor) -> tuple[int, int, int]:
    """Return the rows, the DOM nodes and the bytes of JavaScript of the page, after what is garbage is gone."""
    session = alice.context.new_cdp_session(alice.page)
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    found = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    rows = alice.page.locator("#timeline .row[data-seq]").count()
    nodes = alice.page.evaluate("() => document.getElementsByTagName('*').length")
    session.detach()
    return rows, nodes, int(found["JSHeapUsedSize"])


def test_a_hundred_thousand_messages_cost_no_more_than_what_is_on_the_screen(visit: Visit, long_room: str) -> None:
    alice = visit("alice", f"/room/{long_room}")
    alice.see(f"message {MANY - 1} of many")
    seen = set()

    def read_back() -> bool:
        scroll_by(alice, -4_000)
        seen.add(alice.page.evaluate(MIDDLE)[0])
        assert alice.page.locator("#timeline .row[data-seq]").count() <= ROWS
        return len(seen) >= 40

    wait_for(read_back, "one to get through it", 6 * PATIENCE)
    up = cost(alice)
    alice.page.evaluate(
        "(seq) => import('/assets/routes.js').then(({ go, current }) => go({ ...current(), seq }))", MANY // 2
    )
    expect(alice.messages.filter(has_text="of many").first).to_be_visible()
    for _ in range(20):
        scroll_by(alice, 4_000)
    middle = cost(alice)
    alice.page.get_by_role("button", name="Newest").click()
    expect(alice.see(f"message {MANY - 1} of many").first).to_be_in_viewport()
    end = cost(alice)
    for rows, nodes, heap in (up, middle, end):
        assert rows <= ROWS
        assert nodes <= NODES
        assert heap <= HEAP
