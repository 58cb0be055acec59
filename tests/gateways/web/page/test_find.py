"""Finding: a room by a few letters, a message by its words, an address by going back; and all of it with the keys."""

import re

from playwright.sync_api import Locator, expect

from tests.gateways.web.page.conftest import Tab, Visit, needs_chromium
from tests.integration.raw import Net

pytestmark = needs_chromium


def options(tab: Tab) -> Locator:
    return tab.page.get_by_role("option")


def test_the_switcher_leads_to_rooms_and_people(visit: Visit, room: str, others: Net) -> None:
    others.session("zoë-of-accounting", f"{room}-releases").say("hello", room=f"{room}-releases")
    alice = visit("alice", f"/room/{room}")
    alice.line.fill("half a thought")
    alice.page.keyboard.press("Control+k")
    finder = alice.page.get_by_role("combobox", name="Go to a room or a person")
    expect(finder).to_be_focused()
    alice.page.keyboard.type("zoeacc")
    expect(options(alice).first).to_contain_text("zoë-of-accounting")
    finder.fill(f"{room[-4:]}rel")
    expect(options(alice).first).to_contain_text(f"{room}-releases")
    alice.page.keyboard.press("Enter")
    expect(alice.page).to_have_url(f"{alice.web.url}/room/{room}-releases")
    alice.see("hello")
    alice.page.keyboard.press("Control+k")
    finder.fill("zoë")
    expect(options(alice).first).to_contain_text("zoë-of-accounting")
    alice.page.keyboard.press("Enter")
    expect(alice.page).to_have_url(re.compile("/with/[0-9a-f]{16}$"))
    expect(alice.ready().line).to_be_focused()
    alice.page.keyboard.press("Control+k")
    expect(finder).to_be_focused()
    alice.page.keyboard.press("Escape")
    expect(finder).to_be_hidden()
    expect(alice.line).to_be_focused()


def test_search_jumps_to_where_it_was_said(visit: Visit, room: str, others: Net) -> None:
    bob = others.session("bob", room)
    word = room.replace("-", "")
    bob.say(f"the *{word}* plan", room=room)
    bob.say_all([f"line {n}" for n in range(400)], room=room)
    bob.say(f"{word} and again", room=room)
    alice = visit("alice", f"/room/{room}")
    alice.see("and again")
    alice.page.keyboard.press("Control+Shift+F")
    finder = alice.page.get_by_role("combobox", name="Search")
    finder.fill(word)
    expect(options(alice)).to_have_count(2)
    expect(options(alice).locator("mark")).to_have_text([word, word])
    alice.page.keyboard.press("ArrowDown")
    alice.page.keyboard.press("Enter")
    found = alice.see("plan").first
    expect(found).to_be_in_viewport()
    expect(alice.page).to_have_url(re.compile(rf"/room/{room}/\d+$"))
    alice.page.keyboard.press("Control+Shift+F")
    expect(finder).to_have_value(word)
    finder.fill(f'"{word} plan"')
    expect(options(alice)).to_have_count(1)
    finder.fill(f"from:bob {word[:-1]}*")
    expect(options(alice)).to_have_count(2)
    finder.fill("nobodysaidthis")
    expect(alice.page.get_by_role("status").filter(has_text="Nothing was said")).to_be_visible()


def test_back_and_forward_go_through_rooms_and_messages(visit: Visit, room: str, others: Net) -> None:
    bob = others.session("bob", room)
    first = bob.say("the first of all", room=room)["seq"]
    bob.say_all([f"line {n}" for n in range(300)], room=room)
    alice = visit("alice", f"/room/{room}")
    alice.see("line 299")
    alice.page.evaluate(
        "(seq) => import('/assets/routes.js').then(({ go, current }) => go({ ...current(), seq }))", first
    )
    expect(alice.see("the first of all").first).to_be_in_viewport()
    alice.page.locator('#side [data-key="room/general"] a').click()
    expect(alice.page).to_have_url(f"{alice.web.url}/room/general")
    alice.page.go_back()
    expect(alice.page).to_have_url(f"{alice.web.url}/room/{room}/{first}")
    expect(alice.see("the first of all").first).to_be_in_viewport()
    alice.page.go_back()
    expect(alice.page).to_have_url(f"{alice.web.url}/room/{room}")
    alice.page.go_forward()
    alice.page.go_forward()
    expect(alice.page.locator("#title h1")).to_have_text("general")
    other = alice.tab(f"/room/{room}/{first}")
    expect(other.see("the first of all").first).to_be_in_viewport()


def test_the_keys_do_all_that_the_mouse_does(visit: Visit, room: str, others: Net) -> None:
    bob = others.session("bob", room)
    bob.say("from bob", room=room)
    alice = visit("alice", f"/room/{room}")
    alice.say("from alice")
    alice.see("from alice")
    keys = alice.page.keyboard
    keys.press("Shift+F6")
    focused = alice.page.locator("article:focus")
    expect(focused).to_contain_text("from alice")
    keys.press("ArrowUp")
    expect(focused).to_contain_text("from bob")
    keys.press("r")
    expect(alice.line).to_be_focused()
    keys.type("an answer")
    keys.press("Enter")
    alice.see("an answer")
    event = bob.history(room=room, limit=1)["events"][0]
    assert event["reply_to"] == int(alice.message("from bob").first.get_attribute("data-seq") or 0)
    keys.press("ArrowUp")
    expect(alice.line).to_have_value("an answer")
    keys.press("Escape")
    expect(alice.line).to_have_value("")
    alice.go("/room/general")
    keys.press("Control+/")
    help_ = alice.page.get_by_role("dialog", name="Keys")
    expect(help_).to_contain_text("Ctrl K")
    keys.press("Escape")
    expect(help_).to_be_hidden()
    bob.say("news", room=room)
    badge = alice.page.locator(f'#side [data-key="room/{room}"] .badge')
    expect(badge).to_have_text("1")
    alice.line.focus()
    keys.press("Shift+Escape")
    expect(badge).to_have_text("")
    bob.say("more news", room=room)
    expect(badge).to_have_text("1")
    keys.press("Alt+Shift+ArrowDown")
    expect(alice.page).to_have_url(f"{alice.web.url}/room/{room}")
    alice.see("more news")


CASES = [
    ("gen", "general", True),
    ("gnl", "general", True),
    ("DR", "dev-releases", True),
    ("uber", "über uns", True),
    ("lareneg", "general", False),
    ("日本", "日本語", True),
]


def test_letters_fit_names_as_people_type_them(visit: Visit, room: str) -> None:
    alice = visit("alice", f"/room/{room}")
    fits = alice.page.evaluate(
        """(cases) => import('/assets/fuzzy.js').then(({ fit }) =>
            cases.map(([typed, name]) => fit(typed, name) !== null))""",
        [case[:2] for case in CASES],
    )
    assert fits == [case[2] for case in CASES]
    best = alice.page.evaluate("""() => import('/assets/fuzzy.js').then(({ best }) =>
        best('dev', ['made-vain', 'old-dev', 'dev', 'devices'], (one) => one).map(({ one }) => one))""")
    assert best == ["dev", "devices", "old-dev", "made-vain"]


WORDS = [
    ("cat dog", "A cat, a Dog and a catalogue", ["cat", "Dog"]),
    ("cat*", "A cat and a catalogue", ["cat", "catalogue"]),
    ('"big cat"', "a big, cat is a big cat", ["big, cat", "big cat"]),
    ("日本", "これは日本語です", ["日本"]),
    ("a.b (c", "a.b and c but not axb", ["a.b", "c"]),
    ("***", "nothing", []),
]


def test_words_are_marked_where_they_are(visit: Visit, room: str) -> None:
    alice = visit("alice", f"/room/{room}")
    found = alice.page.evaluate(
        """async (cases) => {
            const { highlight, pattern } = await import('/assets/terms.js');
            return cases.map(([query, text]) => {
                const box = document.createElement('p');
                box.textContent = text;
                highlight(box, pattern(query));
                return [query, box.textContent, [...box.querySelectorAll('mark')].map((one) => one.textContent)];
            });
        }""",
        [case[:2] for case in WORDS],
    )
    assert found == [list(case) for case in WORDS]
