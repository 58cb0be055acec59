"""Rooms, conversations, addresses and panes of the page; what is unread."""

import re
from importlib import resources

import pytest
from playwright.sync_api import expect

from tests.conftest import PATIENCE, wait_for
from tests.gateways.web.page.conftest import LASTING, Visit, at_once, needs_chromium
from tests.integration.raw import Net, unique

pytestmark = needs_chromium


def test_an_address_leads_to_its_message_and_lets_it_shine(visit: Visit, room: str, others: Net) -> None:
    bob = others.session("bob", room)
    said = bob.say_all([f"line {n}" for n in range(400)], room=room)
    seq = said[100]["seq"]
    alice = visit("alice", f"/room/{room}/{seq}", init_script=LASTING)
    there = alice.page.locator(f'article[data-seq="{seq}"]')
    expect(there).to_be_in_viewport()
    expect(there).to_have_class(re.compile(r"\blit\b"))
    expect(there.locator(".text")).to_have_text("line 100")
    alice.timeline.locator(".jump").click()
    expect(alice.message("line 399")).to_be_in_viewport()
    alice.go(f"/room/{room}/{said[-1]['seq'] + 10_000}")
    expect(alice.page.locator("#toasts")).to_contain_text("no such message")


def test_reading_goes_on_downwards_from_an_address(visit: Visit, room: str, others: Net) -> None:
    bob = others.session("bob", room)
    said = bob.say_all([f"line {n}" for n in range(400)], room=room)
    alice = visit("alice", f"/room/{room}/{said[20]['seq']}")
    alice.see("line 20")
    seen = set(alice.texts())

    def read_on() -> bool:
        alice.page.locator("#timeline .scroller").evaluate("(one) => { one.scrollTop += 400; }")
        alice.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        seen.update(alice.texts())
        return "line 399" in seen

    wait_for(read_on, "the last line", 3 * PATIENCE)
    assert {f"line {n}" for n in range(20, 400)} <= seen
    bob.say("and now this", room=room)
    expect(alice.page.locator("#spoken")).to_have_text("bob: and now this")
    alice.page.locator("#timeline .scroller").evaluate("(one) => { one.scrollTop = one.scrollHeight; }")
    alice.see("and now this")


def test_unread_messages_are_counted_and_the_line_stands_before_them(visit: Visit, room: str, others: Net) -> None:
    other = unique("room")
    bob = others.session("bob", room, other)
    bob.say("before", room=other)
    alice = visit("alice", f"/room/{other}")
    alice.see("before")
    alice.page.goto(f"{alice.web.url}/room/{room}")
    alice.ready()
    bob.say_all(["one", f"two for {alice.nick}"], room=other)
    line = alice.page.locator(f'#side-list [data-key="room/{other}"]')
    expect(line.locator(".badge")).to_have_text("2")
    expect(line.locator(".badge")).to_have_attribute("aria-label", "2 unread, 1 for you")
    expect(alice.page).to_have_title(re.compile(r"^\(1\) "))
    line.get_by_role("link").click()
    row = alice.page.locator(".row", has=alice.page.locator(".line.new"))
    expect(row.locator("article .text")).to_have_text("one")
    expect(line.locator(".badge")).to_be_hidden()
    expect(alice.page).not_to_have_title(re.compile(r"^\("))
    second = alice.tab(f"/room/{room}")
    there = second.page.locator(f'#side-list [data-key="room/{other}"]')
    second.page.evaluate("() => import('/assets/wire.js').then(({ wire }) => wire.stop())")
    alice.page.bring_to_front()
    alice.press(alice.message("two for"), "More")
    alice.page.get_by_role("menuitem", name="Mark unread from here").click()
    expect(line.locator(".badge")).to_have_attribute("aria-label", "1 unread, 1 for you")
    expect(row.locator("article .text")).to_have_text(f"two for {alice.nick}")
    alice.page.evaluate("dispatchEvent(new Event('focus'))")  # looking at it does not read it again
    second.page.evaluate("() => import('/assets/wire.js').then(({ wire }) => wire.start())")
    expect(there.locator(".badge")).to_have_attribute("aria-label", "1 unread, 1 for you")
    expect(line.locator(".badge")).to_be_visible()
    second.page.bring_to_front()
    there.get_by_role("link").click()
    row = second.page.locator(".row", has=second.page.locator(".line.new"))
    expect(row.locator("article .text")).to_have_text(f"two for {alice.nick}")
    for one in (line, there):
        expect(one.locator(".badge")).to_be_hidden()


def test_in_a_long_list_of_rooms_what_calls_one_stays_in_sight_and_so_does_where_one_is(
    visit: Visit, room: str, others: Net
) -> None:
    rooms = [f"{room}-{n:02}" for n in range(40)]
    alice = visit("alice")
    alice.page.evaluate("(all) => import('/assets/here.js').then(({ join }) => Promise.all(all.map(join)))", rooms)
    alice.go(f"/room/{rooms[30]}")
    here = alice.page.locator("#side-list [aria-current]")
    expect(here).to_be_in_viewport(ratio=1)
    expect(here).to_contain_text(rooms[30])
    side = alice.page.locator("#side-list")
    first, talk = side.locator(f'[data-key="room/{rooms[0]}"] a'), side.locator("#side-direct .place")
    expect(first).not_to_be_in_viewport()
    bob = others.session("bob", rooms[0])
    bob.say(f"{alice.nick}?", room=rooms[0])
    bob.say("lunch?", to=alice.nick)
    for line in (first, talk, here):
        expect(line).to_be_in_viewport(ratio=1)
    talk.click()
    expect(alice.page.locator("#title")).to_contain_text("bob")
    bob.say("nobody is called", room=rooms[0])
    first.click()
    alice.see("nobody is called")
    alice.page.emulate_media(forced_colors="active")
    edge = "(one) => getComputedStyle(one).borderInlineStartColor"
    assert len({alice.message(text).evaluate(edge) for text in (f"{alice.nick}?", "nobody is called")}) == 2


def test_a_conversation_begins_with_somebody_in_the_room(visit: Visit, room: str) -> None:
    alice, bob = visit("alice", f"/room/{room}"), visit("bob", f"/room/{room}")
    alice.choose(alice.page.locator("#people").get_by_role("button", name=bob.nick), f"Message {bob.nick}")
    expect(alice.page).to_have_url(re.compile(r"/with/[0-9a-f]{16}$"))
    alice.say("between us")
    talk = bob.page.locator("#side-direct").get_by_role("link", name=alice.nick)
    expect(talk.locator(".badge")).to_have_text("1")
    talk.click()
    bob.see("between us")
    bob.say("yes")
    alice.see("yes")
    bob.page.reload()
    bob.ready().see("yes")
    bob.shows(["between us", "yes"])


def test_an_address_of_nothing_makes_nothing_and_says_so(visit: Visit, room: str, others: Net) -> None:
    alice = visit("alice", f"/room/{room}")
    title, composer, missed = alice.page.locator("#missing h2"), alice.page.locator("#composer"), f"{room}-missed"
    for address, told in (
        (f"/room/{missed}", f"There is no room {missed}"),
        ("/room/+lab", "+lab is private"),
        (f"/with/{'f' * 16}", "There is nobody at this address"),
    ):
        alice.page.goto(f"{alice.web.url}{address}")
        expect(title).to_have_text(told)
        expect(composer).to_be_hidden()
        expect(alice.page.locator("#toasts .toast")).to_have_count(0)
        expect(alice.page.locator("#side-list [aria-current]")).to_have_count(0)
    others.session("bob", missed).say("it is here now", room=missed)
    alice.page.go_back()
    alice.page.go_back()
    alice.see("it is here now")
    alice.page.goto(f"{alice.web.url}/nonsense")
    alice.page.get_by_role("link", name="To the rooms").click()
    alice.ready()


def test_a_room_is_made_with_a_topic_and_left(visit: Visit, room: str) -> None:
    made = f"{unique('made')}-x"
    alice = visit("alice", f"/room/{room}")
    alice.page.get_by_label("Join or make a room").click()
    alice.page.get_by_label("Find or make a room").fill(made.replace("-x", " X"))
    alice.page.keyboard.press("Enter")
    expect(alice.page).to_have_url(re.compile(f"/room/{made}$"))
    about = alice.page.get_by_label("What is it about?")
    topic = alice.page.locator("#title .topic")  # drawn anew as soon as one has joined
    wait_for(lambda: about.count() or (at_once(topic) and about.count()), "a line for it")
    about.fill("release day")
    alice.page.keyboard.press("Enter")
    expect(alice.page.locator("#title")).to_contain_text("release day")
    alice.see("set the topic")
    alice.choose(alice.page.locator("#place-menu"), "Leave the room")
    expect(alice.page.locator(f'#side-list [data-key="room/{made}"]')).to_have_count(0)


def test_a_phone_shows_one_pane_at_a_time(visit: Visit, room: str, others: Net) -> None:
    bob = others.session("bob", room)
    root = bob.say("a question", room=room)["seq"]
    bob.say("an answer", room=room, reply_to=root)
    alice = visit("alice", f"/room/{room}", phone=True)
    side, middle, people = (alice.page.locator(part) for part in ("#side", "#middle", "#people"))
    expect(middle).to_be_visible()
    expect(side).to_be_hidden()
    alice.page.locator("#people-button").tap()
    expect(people).to_be_visible()
    people.get_by_label("Close").tap()
    alice.message("a question").first.locator(".answers").tap()
    expect(alice.page.locator("#thread").get_by_text("an answer")).to_be_visible()
    alice.page.get_by_label("Close the thread").tap()
    alice.page.locator("#to-list").tap()
    expect(side).to_be_visible()
    expect(middle).to_be_hidden()
    alice.page.get_by_label("Join or make a room").tap()
    rooms = alice.page.get_by_role("dialog", name="Rooms and people")
    rooms.locator(".choices").evaluate("(one) => { one.style.minHeight = '5000px'; }")  # hundreds of rooms
    assert rooms.evaluate("(one) => one.getBoundingClientRect().bottom <= innerHeight"), "its end can be scrolled to"
    rooms.get_by_label("Close").tap()
    alice.page.go_back()
    expect(middle).to_be_visible()
    alice.page.locator("#search-button").tap()
    search = alice.page.get_by_role("dialog", name="Search")
    expect(search).to_be_visible()
    search.get_by_label("Close").tap()
    expect(search).to_be_hidden()
    width = alice.page.evaluate("document.documentElement.scrollWidth")
    assert width <= alice.page.evaluate("innerWidth"), "nothing is wider than the screen"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_is_that_of_the_system_unless_one_chooses(visit: Visit, room: str, scheme: str) -> None:
    alice = visit("alice", f"/room/{room}", color_scheme=scheme)
    ground = "getComputedStyle(document.body).backgroundColor"
    light = "rgb(255, 255, 255)"
    assert (alice.page.evaluate(ground) == light) is (scheme == "light")
    alice.page.locator("#settings-button").click()
    alice.page.get_by_label("Dark" if scheme == "light" else "Light", exact=True).check()
    assert (alice.page.evaluate(ground) == light) is (scheme == "dark")
    alice.page.reload()
    assert (alice.page.evaluate(ground) == light) is (scheme == "dark")


def test_the_page_can_be_read_by_a_screen_reader(visit: Visit, room: str, others: Net) -> None:
    alice = visit("alice", f"/room/{room}")
    others.session("bob", room).say("listen", room=room)
    alice.see("listen")
    expect(alice.page.get_by_role("log", name="Messages")).to_be_visible()
    expect(alice.page.get_by_role("navigation", name="Rooms and conversations")).to_be_visible()
    expect(alice.page.locator("#spoken")).to_have_text("bob: listen")
    unnamed = "[...document.querySelectorAll('button')].filter((one) => !(one.ariaLabel || one.textContent).trim())"
    assert alice.page.evaluate(f"{unnamed}.length") == 0


def test_the_page_asks_nobody_else_for_anything() -> None:
    page = resources.files("zchat.gateways.web") / "page"
    for file in page.iterdir():
        if file.name.endswith((".js", ".css", ".html")):
            found = re.findall(r"(?:https?:)?//(?!www\.w3\.org/2000/svg)[a-z0-9-]+\.[a-z]{2,}", file.read_text())
            assert found == [], file.name
