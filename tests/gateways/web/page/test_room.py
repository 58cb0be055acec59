"""Two browsers and a terminal in one room; a broker, and a gateway, that are killed while all talk."""

import threading
from collections import Counter
from collections.abc import Callable

import pytest

from tests.conftest import READY, Broker, StartBroker, wait_for
from tests.gateways.web.page.conftest import StartWeb, Visit, Visitor, needs_chromium, until
from tests.integration.raw import Net
from tests.integration.terminal import Terminal

pytestmark = needs_chromium

LINES = 25  # that each says at least while something is killed
KILLS = 2
# Says lines as fast as they are taken, without waiting for anything: as a person would who does not look.
# When all are said it goes on until it is enough, now with a look at how many wait.
TALK = """async ([name, lines]) => {
  const { say, waiting } = await import('/assets/outbox.js');
  const { store } = await import('/assets/state.js');
  let n = 0;
  while (n < lines || !window.enough) {
    if (n < lines || waiting(store.here).length < 5) await say(store.here, `${name} ${n++}`);
    await new Promise((done) => setTimeout(done, n < lines ? 40 : 100));
  }
  window.said = n;
}"""
HELD = """async () => {
  const { store } = await import('/assets/state.js');
  return store.here.log.items.map((item) => [item.seq, item.text]);
}"""
WAITING = """async () => {
  const { waiting } = await import('/assets/outbox.js');
  const { store } = await import('/assets/state.js');
  return waiting(store.here).length;
}"""


def test_two_browsers_and_a_terminal_talk(
    visit: Visit, room: str, open_broker: Broker, module_environment: dict[str, str]
) -> None:
    alice, bob = visit("alice", f"/room/{room}"), visit("bob", f"/room/{room}")
    options = ("join", "--nick", "carol", "--room", room)
    with Terminal(*options, env=module_environment | {"ZCHAT_BROKER": open_broker.listen}) as carol:
        carol.see(f"#{room}")
        alice.say("hello **bob**")
        bob.see("hello bob")
        carol.see(f"<{alice.nick}> hello")
        carol.enter("hello browsers")
        alice.see("hello browsers")
        bob.say("hello carol")
        carol.see(f"<{bob.nick}> hello carol")
        for page in (alice, bob):
            page.shows(["hello bob", "hello browsers", "hello carol"])  # each once, in this order


def talk_while(people: list[Visitor], act: Callable[[], None]) -> None:
    """Have all talk, and do something the while."""
    for person in people:
        person.page.evaluate(f"(said) => void ({TALK})(said)", [person.nick, LINES])
    acting = threading.Thread(target=act)
    acting.start()
    while acting.is_alive():
        people[0].page.evaluate("1")  # lets the driver work
        acting.join(0.05)
    for person in people:
        person.page.evaluate("() => { window.enough = true; }")
        until(person.page, "() => window.said")
    wait_for(lambda: all(person.page.evaluate(WAITING) == 0 for person in people), "all to be stored", READY)
    for person in people:
        for other in people:
            person.see(f"{other.nick} {said(other) - 1}")


def said(person: Visitor) -> int:
    return int(person.page.evaluate("() => window.said"))


def audited(people: list[Visitor], broker: Broker, room: str) -> None:
    """Hold what the log has, and what each page shows, against what was said."""
    net = Net(broker.listen, broker.publish)
    try:
        events = net.session("auditor").history(room=room)["events"]
    finally:
        net.leave()
        net.close()
    stored = [(event["seq"], event["text"]) for event in events if event["type"] == "message"]
    counts = Counter(text for _, text in stored)
    assert [text for text, count in counts.items() if count > 1] == [], "nothing is doubled"
    for person in people:
        mine = [text for _, text in stored if text.startswith(f"{person.nick} ")]
        assert mine == [f"{person.nick} {n}" for n in range(said(person))], "nothing is lost, and the order is kept"
        shown = [(seq, text) for seq, text in person.page.evaluate(HELD)]
        assert shown == stored[-len(shown) :], "each page has what the log has"


@pytest.mark.parametrize("killed", ["broker", "gateway"])
def test_one_that_is_killed_while_all_talk(
    visit: Visit, room: str, start_broker: StartBroker, start_web: StartWeb, killed: str
) -> None:
    broker = start_broker("--rate", "0")
    web = start_web(broker)
    people = [visit(name, f"/room/{room}", web=web) for name in ("alice", "bob")]
    begin_anew = broker.restart if killed == "broker" else web.restart

    def kill() -> None:
        for _ in range(KILLS):
            spoken(broker, 4)
            begin_anew()

    talk_while(people, kill)
    audited(people, broker, room)


def spoken(broker: Broker, more: int) -> None:
    """Wait until some more was said."""
    net = Net(broker.listen, broker.publish)
    try:
        peer = net.session()
        head = peer.ask("status", type="status")["head"]
        wait_for(lambda: peer.ask("status", type="status")["head"] >= head + more, "what is said")
    finally:
        net.leave()
        net.close()
