"""What was deleted is in no byte of any file of the data folder: not of the log, its journal, the index or that's."""

import random
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from tests.conftest import Broker, RunZchat, StartBroker, wait_for
from tests.integration.conftest import NetOf
from tests.integration.raw import Peer

LETTERS = "bcdfghjklmnpqrstvwxz"
CHINESE = "龘靐齉爩鱻麤龗灪吁厵"
PART = 9  # letters of a word by which a part of it is recognized: segments of the index share beginnings


def secret() -> str:
    """Return a word that nothing else has."""
    return "".join(random.choices(LETTERS, k=18))


def within(data: Path, words: set[str]) -> set[tuple[str, str]]:
    """Return the files that have one of these words, or its beginning or end, and the word."""
    files = {path.name: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    return {
        (name, word)
        for name, content in files.items()
        for word in words
        if word[:PART].encode() in content or word[-PART:].encode() in content
    }


def done(peer: Peer, type_: str, **fields: object) -> int:
    """Do something numbered; return the `seq` of the event."""
    n = peer.number()
    return int(peer.ask("ack", type=type_, n=n, **fields)["seq"])


def say_and_delete(alice: Peer, bob: Peer, words: set[str]) -> None:
    """Say things here and there, edit some of them, and delete all."""
    said = []
    for where in ({"room": "den"}, {"room": "hall"}, {"to": "bob"}):
        for repeated in (1, 3, 16 * 1024 // 19):
            words.add(word := secret())
            said.append(done(alice, "say", text=" ".join([word] * repeated), **where))
            for _ in range(random.randrange(3)):
                words.add(word := secret())
                done(alice, "edit", seq=said[-1], text=" ".join([word] * repeated))
    words.add(word := "".join(random.sample(CHINESE, 9)))
    said.append(done(alice, "say", room="den", text=word))
    bob.ask("found", type="search", text="stays")  # so that the index has some of it
    bob.say("this stays", room="den")
    for seq in random.sample(said, len(said)):
        done(alice, "delete", seq=seq)


def settled(broker: Broker, words: set[str]) -> None:
    wait_for(lambda: not within(broker.data, words), "all that was deleted to be gone")


def test_what_was_deleted_is_in_no_file_within_seconds(start_broker: StartBroker, net_of: NetOf) -> None:
    broker = start_broker("--rate", "0")
    net = net_of(broker)
    alice, bob = net.session("alice", "den", "hall"), net.session("bob", "den")
    words: set[str] = set()
    for _ in range(3):
        say_and_delete(alice, bob, words)
    settled(broker, words)
    assert bob.ask("found", type="search", text="stays")["events"]
    assert bob.ask("found", type="search", text=next(iter(words)))["events"] == []
    broker.restart()
    assert not within(broker.data, words)


def test_the_texts_before_an_edit_go_where_a_broker_forgets_them(start_broker: StartBroker, net_of: NetOf) -> None:
    broker = start_broker("--rate", "0", "--forget-edits")
    net = net_of(broker)
    alice, bob = net.session("alice", "den"), net.session("bob", "den")
    words, kept = set[str](), dict[int, str]()
    for where in ({"room": "den"}, {"to": "bob"}):
        for repeated in (1, 3, 700):
            words.add(word := secret())
            seq = done(alice, "say", text=" ".join([word] * repeated), **where)
            bob.ask("found", type="search", text=word)  # so that the index has it
            for times in random.sample([1, 2, 860], 2):
                words.add(word := secret())
                kept[done(alice, "edit", seq=seq, text=" ".join([word] * times))] = word
            words.remove(word)
    settled(broker, words)
    for word in set(kept.values()) - words:
        assert [event["text"].split()[0] for event in bob.ask("found", type="search", text=word)["events"]] == [word]
    (line,) = bob.ask("history", type="history", room="den", after=0, limit=1)["events"]
    assert (line["seq"], line["type"]) == (1, "message")
    assert line["text"] == next(word for seq, word in kept.items() if word not in words)
    broker.restart()
    assert not within(broker.data, words)


def test_what_was_deleted_goes_after_a_kill_at_any_moment(start_broker: StartBroker, net_of: NetOf) -> None:
    broker = start_broker("--rate", "0")
    words: set[str] = set()
    for _ in range(5):
        net = net_of(broker)
        alice, bob = net.session("alice", "den", "hall"), net.session("bob", "den")
        say_and_delete(alice, bob, words)
        time.sleep(random.random() * 1.5)  # any instant
        broker.kill()
        broker.start()
    settled(broker, words)


def test_a_backup_has_nothing_that_was_deleted_before(
    start_broker: StartBroker, net_of: NetOf, zchat: RunZchat, tmp_path: Path
) -> None:
    broker = start_broker("--rate", "0")
    net = net_of(broker)
    alice, bob = net.session("alice", "den", "hall"), net.session("bob", "den")
    words: set[str] = set()
    say_and_delete(alice, bob, words)
    broker.kill()
    with closing(sqlite3.connect(broker.data / "log.db")) as log:
        assert log.execute("SELECT count(*) FROM scrub").fetchone()[0]
    copy = tmp_path / "copy"
    copy.mkdir()
    zchat("backup", str(copy / "log.db"), "--data", str(broker.data))
    assert (copy / "log.db").stat().st_size
    assert not within(copy, words)
    broker.start()
