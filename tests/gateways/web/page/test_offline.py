"""Without a connection: what is said waits and is marked so, and after a sleep nothing is missing or double."""

import re
import shutil

from playwright.sync_api import Locator, expect

from tests.conftest import Broker, StartBroker
from tests.gateways.web.page.conftest import Cable, StartWeb, Tab, Visit, Web, needs_chromium, until
from tests.integration.raw import Net

pytestmark = needs_chromium


# The worker is registered when a test lets it be.
HELD = """
  const registered = ServiceWorkerContainer.prototype.register;
  ServiceWorkerContainer.prototype.register = async function (...given) {
    await new Promise((go) => { window.register = go; });
    return registered.apply(this, given).catch((error) => { window.failed = true; throw error; });
  };
"""


# All is answered that waited, and what was done last is still told of.
ANSWERED = """async () => {
  const { kept } = await import('/assets/kept.js');
  const told = [...document.querySelectorAll('#timeline article.pending .nick')].at(-1)?.textContent;
  return kept.under('out/').length === 0 && told === 'Delete';
}"""
# All is answered.
SENT = "() => import('/assets/kept.js').then(({ kept }) => kept.under('out/').length === 0)"
# What comes of the place on the screen waits, as while something of it is asked for; and is taken.
HOLD = "async () => { (await import('/assets/state.js')).store.here.held = []; }"
TAKE = """async () => {
  const [{ store }, { loadOlder }] = [await import('/assets/state.js'), await import('/assets/history.js')];
  await loadOlder(store.here);
}"""


def waiting(tab: Tab) -> Locator:
    return tab.timeline.locator("article.pending .text")


def stored(others: Net, room: str, nick: str) -> list[str]:
    events = others.session(nick).history(room=room)["events"]
    return [event["text"] for event in events if event["type"] == "message"]


def lost(tab: Tab) -> None:
    """Wait until the page tells that there is no connection."""
    expect(tab.page.locator("#banner")).to_be_visible()


def test_what_is_said_offline_waits_and_goes_out_once(
    visit: Visit, room: str, cabled: Web, cable: Cable, others: Net
) -> None:
    alice = visit("alice", f"/room/{room}", web=cabled)
    alice.say("before")
    alice.see("before")
    expect(alice.timeline.locator("article.pending")).to_have_count(0)  # its answer is there, too
    cable.cut()
    lost(alice)
    for text in ("one", "two", "three"):
        alice.say(text)
    expect(alice.timeline.locator("article.pending")).to_have_count(3)
    expect(alice.timeline.locator("article.pending").first).to_contain_text("wait")
    expect(waiting(alice)).to_have_text(["one", "two", "three"])
    cable.heal()
    alice.see("three")
    expect(alice.timeline.locator("article.pending")).to_have_count(0)
    alice.shows(["before", "one", "two", "three"])
    assert stored(others, room, "eve") == ["before", "one", "two", "three"]


def test_what_waits_can_be_taken_back(visit: Visit, room: str, cabled: Web, cable: Cable, others: Net) -> None:
    alice = visit("alice", f"/room/{room}", web=cabled)
    alice.say("before")
    alice.see("before")
    cable.cut()
    lost(alice)
    alice.say("rather not")
    alice.say("but this")
    alice.timeline.get_by_role("button", name="Take back").first.click()
    expect(alice.timeline.locator("article.pending")).to_have_count(1)
    expect(alice.line).to_have_value("rather not")
    cable.heal()
    alice.see("but this")
    assert stored(others, room, "eve") == ["before", "but this"]


def test_what_is_done_to_messages_offline_waits_in_line_with_what_is_said(
    visit: Visit, room: str, cabled: Web, cable: Cable, others: Net
) -> None:
    bob = others.session("bob", room)
    bob.say("shall we?", room=room)
    alice = visit("alice", f"/room/{room}", web=cabled)
    for text in ("rather not", "tpyo"):
        alice.say(text)
        alice.see(text)
    pending = alice.timeline.locator("article.pending")
    expect(pending).to_have_count(0)
    cable.cut()
    lost(alice)
    for text in ("tyop", "typo"):  # the second one goes on from the first, and takes its place
        alice.line.press("ArrowUp")
        alice.line.fill(text)
        alice.line.press("Enter")
    alice.say("said between")
    for text in ("shall we?", "tpyo", "tpyo"):  # the second one takes it back
        alice.press(alice.message(text), "React with 👍")
    alice.press(alice.message("rather not"), "More")
    alice.page.get_by_role("menuitem", name="Delete").click()
    alice.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(pending.locator(".nick")).to_have_text(["Edit", alice.nick, "React with 👍", "Delete"])
    expect(pending.first).to_have_text(re.compile("waits for the connection.*tpyo.*typo", re.DOTALL))
    alice.line.press("ArrowUp")
    expect(alice.line).to_have_value("typo")
    alice.line.press("Escape")
    alice.page.evaluate(HOLD)
    cable.heal()
    until(alice.page, ANSWERED)  # but nothing of it is to be seen yet
    alice.page.evaluate(TAKE)
    alice.see("said between")
    expect(pending).to_have_count(0)
    expect(alice.message("shall we?").locator(".reaction")).to_have_text("👍1")
    alice.shows(["shall we?", "Message deleted", "typo (edited)", "said between"])
    done = bob.history(room=room, kinds=["message", "edit", "reaction", "delete"])["events"]
    assert [event["type"] for event in done] == ["message", "message", "edit", "message", "reaction", "delete"]


def test_an_edit_that_is_refused_stays_with_its_text(visit: Visit, room: str) -> None:
    alice = visit("alice", f"/room/{room}")
    alice.say("short")
    alice.see("short")
    alice.line.press("ArrowUp")
    alice.line.fill("y" * 17_000)
    alice.line.press("Enter")
    refused = alice.timeline.locator("article.refused")
    expect(refused).to_contain_text(re.compile("16|too|long"))
    refused.get_by_role("button", name="Take back").click()
    expect(alice.line).to_have_value("y" * 17_000)
    expect(alice.page.locator("#composer .composer-note")).to_contain_text("Editing your message")


def test_what_waits_is_shown_before_a_room_is_loaded(
    visit: Visit, room: str, cabled: Web, cable: Cable, others: Net
) -> None:
    others.session("bob", room).say("before", room=room)
    alice = visit("alice", "/room/general", web=cabled)
    cable.cut()
    lost(alice)
    alice.page.evaluate("(key) => import('/assets/routes.js').then(({ go }) => go({ key }))", f"room/{room}")
    expect(alice.page).to_have_title(re.compile(room))
    alice.say("from without")
    expect(alice.timeline.locator("article.pending")).to_have_count(1)
    expect(waiting(alice)).to_have_text(["from without"])
    cable.heal()
    alice.see("from without")
    alice.shows(["before", "from without"])
    expect(alice.timeline.locator("article.pending")).to_have_count(0)
    expect(alice.page.locator("#people")).to_contain_text(alice.nick)


def test_what_is_refused_is_told_and_comes_back_into_the_line(visit: Visit, room: str) -> None:
    alice = visit("alice", f"/room/{room}")
    alice.say("x" * 17_000)
    refused = alice.timeline.locator("article.refused")
    expect(refused).to_contain_text(re.compile("16|too|long"))
    refused.get_by_role("button", name="Take back").click()
    expect(alice.line).to_have_value("x" * 17_000)
    expect(alice.timeline.locator("article.pending")).to_have_count(0)


def test_what_cannot_be_stored_now_is_sent_again_and_what_was_refused_once_one_says_so(
    visit: Visit, room: str, others: Net
) -> None:
    alice = visit("alice", f"/room/{room}")
    alice.page.evaluate("""async () => {
        const { Refused, wire } = await import('/assets/wire.js');
        const [ask, codes] = [wire.ask.bind(wire), ['timeout', 'unavailable', 'muted']];
        wire.ask = (command) => {
            const code = command.type === 'say' && codes.shift();
            return code ? Promise.reject(new Refused(code, code)) : ask(command);
        };
    }""")
    alice.say("in the end")
    refused = alice.timeline.locator("article.refused")
    expect(refused).to_contain_text("Muted")
    refused.get_by_role("button", name="Try again").click()
    alice.see("in the end")
    expect(alice.timeline.locator("article.pending")).to_have_count(0)
    alice.page.evaluate("""async () => {
        const [{ Refused, wire }, { store }] = [await import('/assets/wire.js'), await import('/assets/state.js')];
        const [ask, lost] = [wire.ask.bind(wire), []];
        wire.ask = async (command) => {
            const reply = await ask(command);
            if (command.type !== 'edit' || lost.push(command) > 1) return reply;
            while (store.here.log.get(command.seq).text !== command.text) await new Promise((go) => setTimeout(go, 10));
            throw new Refused('offline', 'the answer is lost');
        };
    }""")
    for text in ("at last", "finally"):
        alice.line.press("ArrowUp")
        alice.line.fill(text)
        alice.line.press("Enter")
        alice.see(text)
        until(alice.page, SENT)
    done = others.session("eve").history(room=room)["events"]
    assert [event["text"] for event in done] == ["in the end", "at last", "finally"], "nothing is done twice"


def test_two_tabs_do_not_both_send_and_inherit_from_each_other(
    visit: Visit, room: str, cabled: Web, cable: Cable, others: Net
) -> None:
    alice = visit("alice", f"/room/{room}", web=cabled)
    other = alice.tab(f"/room/{room}")
    alice.say("before")
    for tab in (alice, other):
        tab.see("before")
        tab.page.evaluate("""async () => {
            const { wire } = await import('/assets/wire.js');
            window.asked = [];
            const ask = wire.ask.bind(wire);
            wire.ask = (command) => (command.type === 'say' && window.asked.push(command.text), ask(command));
        }""")
    cable.cut()
    lost(alice)
    lost(other)
    alice.say("of the first")
    other.say("of the second")
    for tab in (alice, other):
        expect(tab.timeline.locator("article.pending")).to_have_count(2)
    cable.heal()
    for tab in (alice, other):
        tab.see("of the first")
        tab.see("of the second")
    asked = [set(tab.page.evaluate("() => window.asked")) for tab in (alice, other)]
    assert asked == [{"of the first"}, {"of the second"}]
    cable.cut()
    lost(other)
    other.say("said by who closes")
    for tab in (alice, other):
        expect(tab.timeline.locator("article.pending")).to_have_count(1)
    other.page.close()
    cable.heal()
    alice.see("said by who closes")
    assert sorted(stored(others, room, "eve")) == ["before", "of the first", "of the second", "said by who closes"]


def test_a_dead_socket_that_does_not_say_so_is_given_up(
    visit: Visit, room: str, cabled: Web, cable: Cable, others: Net
) -> None:
    alice = visit("alice", "/", web=cabled)
    alice.page.clock.install()
    alice.go(f"/room/{room}")
    cable.stall()
    for seconds in (21, 9):  # it is asked for a sign of life, and gives none
        alice.page.clock.fast_forward(1_000 * seconds)
    lost(alice)
    others.session("bob", room).say("meanwhile", room=room)
    cable.heal()
    alice.see("meanwhile")
    expect(alice.page.locator("#banner")).to_be_hidden()


def test_after_a_sleep_nothing_is_missing_or_double(
    visit: Visit, room: str, cabled: Web, cable: Cable, others: Net
) -> None:
    alice = visit("alice", f"/room/{room}", web=cabled)
    bob = others.session("bob", room)
    bob.say("before the sleep", room=room)
    alice.see("before the sleep")
    expect(alice.page.locator("#banner")).to_be_hidden()
    for turn in range(3):
        (cable.stall if turn == 0 else cable.cut)()
        bob.say_all([f"slept {turn}.{n}" for n in range(70)], room=room)
        if turn:
            lost(alice)
        cable.heal()
        alice.see(f"slept {turn}.69")
        expect(alice.page.locator("#banner")).to_be_hidden()
    expected = ["before the sleep", *(f"slept {turn}.{n}" for turn in range(3) for n in range(70))]
    shown = alice.texts()
    assert shown == expected[-len(shown) :], "those that are in the page follow each other"
    held = alice.page.evaluate("""async () => {
        const { store } = await import('/assets/state.js');
        return store.here.log.items.map((item) => item.text);
    }""")
    assert held == expected[-len(held) :]
    assert len(held) >= 200


def test_a_reload_while_the_gateway_is_gone_loses_nothing(
    visit: Visit, room: str, start_web: StartWeb, open_broker: Broker, others: Net
) -> None:
    web = start_web(open_broker)
    alice = visit("alice", "/", web=web, init_script=HELD)
    alice.page.clock.install()
    alice.go(f"/room/{room}")
    alice.say("before")
    alice.see("before")
    until(alice.page, "() => Boolean(window.register)")
    web.kill()
    lost(alice)
    alice.page.evaluate("() => window.register()")
    until(alice.page, "() => window.failed")  # without a worker, too; what the browser prints of that is no fault
    alice.say("said to nobody")
    expect(alice.timeline.locator("article.pending")).to_have_count(1)
    alice.page.evaluate("""() => import('/assets/wire.js').then(({ wire }) => {
        window.waits = [];
        wire.on('closed', ({ wait }) => window.waits.push(wait));
    })""")
    for tries in range(1, 7):
        until(alice.page, f"() => window.waits.length >= {tries}")
        alice.page.clock.fast_forward(5_000)
    assert max(alice.page.evaluate("() => window.waits")) <= 4_000, "however long it lasts, it is tried soon"
    alice.page.close()
    web.start()
    again = alice.tab(f"/room/{room}-elsewhere")
    again.go(f"/room/{room}")
    again.see("said to nobody")
    assert stored(others, room, "eve") == ["before", "said to nobody"]


def test_the_page_tells_why_the_broker_is_away_and_shows_nothing_that_its_log_has_no_more(
    visit: Visit, room: str, start_broker: StartBroker, start_web: StartWeb
) -> None:
    broker = start_broker()
    alice = visit("alice", f"/room/{room}", web=start_web(broker))
    alice.say("kept")
    alice.see("kept")
    broker.stop()
    told = "The broker is away: it stops, as planned. What you say waits."
    expect(alice.page.locator("#banner")).to_have_text(told)
    backup = shutil.copytree(broker.data, broker.folder / "backup")
    broker.start()
    alice.ready()
    alice.say("said after the backup")
    alice.see("said after the backup")
    broker.stop()
    expect(alice.page.locator("#banner")).to_be_visible()
    shutil.rmtree(broker.data)
    shutil.move(backup, broker.data)
    broker.start()
    alice.shows(["kept"])
    alice.say("anew")
    alice.see("anew")
