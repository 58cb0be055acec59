"""What the broker knows of files at once: who keeps how much, what goes, and what is on its way to the log."""

import hashlib
import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.broker.dialogue import NOON, Broker, codes
from zchat.broker.files import FileShelf, Folder
from zchat.broker.files.shelf import LEAST, Upload
from zchat.broker.store import Attached, Store


def name_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class CountingFolder(Folder):
    """A folder that counts how often the disk is looked at."""

    looks = 0

    def size(self, file: str) -> int | None:
        self.looks += 1
        return super().size(file)

    def all(self) -> Iterator[tuple[str, float]]:
        self.looks += 1_000
        return super().all()


def test_to_begin_an_upload_costs_the_same_however_many_there_are(tmp_path: Path) -> None:
    with closing(Store(None, "0" * 32, NOON)) as store:
        folder, asked = CountingFolder(tmp_path / "files"), list[str]()
        shelf = FileShelf(folder, Attached(store))
        shelf.in_all = 2**40
        costs = []
        for _ in range(3):
            for number in range(200):
                file = name_of(b"%d" % len(shelf._sizes))
                shelf.begun(file, "ann", Upload(1, 0, 0.0))
                if number % 2:
                    shelf.finished(file, "ann", 0.0)
            folder.looks = 0
            asked.clear()
            shelf.spent("ann")
            shelf.spent("bob")
            store.connection.set_trace_callback(asked.append)
            assert shelf.refuses("ann", 1, member=True) is None
            assert not shelf.is_loose(file)
            assert shelf.spent("bob") == 0
            store.connection.set_trace_callback(None)
            costs.append((folder.looks, len(asked)))
        assert costs[0] == costs[1] == costs[2]
        assert costs[0] == (0, 1)  # whether a message carries one file


def test_what_is_spent_is_what_is_there_whatever_was_done(tmp_path: Path) -> None:
    rng = random.Random(1)
    with closing(Store(None, "0" * 32, NOON)) as store:
        folder = Folder(tmp_path / "files")
        shelf = FileShelf(folder, Attached(store))
        shelf.in_all = 2**40
        said = Attached(store)
        run, people = store.connection.execute, ("a" * 16, "b" * 16)
        for step in range(600):
            from_, content = rng.choice(people), b"x" * rng.randrange(0, 3) * LEAST
            file = name_of(content)
            match rng.randrange(5):
                case 0 if not (
                    (from_, file) in shelf.unfinished or shelf.uploaded(file, from_) or said.by(file, from_)
                ):
                    shelf.begun(file, from_, Upload(len(content), 0, 0.0))
                case 1 if (from_, file) in shelf.unfinished:
                    part = folder.part(file, from_, len(content))
                    folder.begin(part)
                    folder.write(part, 0, content)
                    assert folder.finish(part, file)
                    part.unlink()
                    folder.mark(file, from_)
                    shelf.finished(file, from_, 0.0)
                case 2:
                    shelf.dropped(file, from_)
                case 3 if shelf.uploaded(file, from_):
                    run("INSERT INTO attached VALUES (?, 1, ?, ?, ?)", (file, step, from_, len(content)))
                    shelf.attached(file, from_)
                case 4:
                    run('DELETE FROM attached WHERE file = ? AND "from" = ?', (file, from_))
                    last, gone = shelf.detached()
                    for one in gone:
                        folder.remove(one)
                        shelf.removed(one)
                    shelf.forget_detached(last)
            anew = FileShelf(folder, Attached(store))  # as after a restart; what is not finished is only in memory here
            for (by, one), upload in shelf.unfinished.items():
                anew.begun(one, by, upload)
            assert {by: shelf.spent(by) for by in people} == {by: anew.spent(by) for by in people}
            there = sum(folder.size(one) or 0 for one, _ in folder.all())
            assert shelf._all == there + sum(each.size for each in shelf.unfinished.values())
            assert all(shelf.is_loose(one) == anew.is_loose(one) for one, _ in folder.all())


def test_a_message_that_is_refused_keeps_no_file_and_one_on_its_way_does(tmp_path: Path) -> None:
    with closing(Store(None, "0" * 32, NOON)) as store:
        broker = Broker(store)
        shelf = broker.hub.roster.shelf = FileShelf(Folder(tmp_path / "files"), Attached(store))
        alice = broker.hello("alice")
        file = name_of(b"")
        part = shelf.folder.part(file, alice.welcome["from"], 0)
        shelf.folder.begin(part)
        shelf.folder.finish(part, file)
        shelf.finished(file, alice.welcome["from"], 0.0)
        files = [{"file": file, "name": "nothing"}]
        for wrong in ({"reply_to": 99}, {"room": None, "to": "nobody"}, {"text": "x" * 20_000}, {"room": "no room"}):
            assert alice.say(**({"text": "x", "files": files} | wrong))[0]["type"] == "error"
            assert not shelf._held
        held = []
        write = store.write

        def watched(batch: Any) -> None:
            held.append(dict(shelf._held))
            write(batch)

        store.write = watched  # type: ignore[method-assign]
        assert codes(alice.say("x", files=files)) == ["ack"]
        assert codes(alice.send(*(alice.line("say", n=n, room="general", text="", files=files) for n in (6, 7)))) == [
            "ack",
            "ack",
        ]
        assert [list(each) for each in held] == [[file], [file]]
        assert not shelf._held


def test_what_is_held_stays_until_it_is_let_go_also_if_its_last_message_goes(tmp_path: Path) -> None:
    with closing(Store(None, "0" * 32, NOON)) as store:
        shelf = FileShelf(Folder(tmp_path / "files"), Attached(store))
        run = store.connection.execute
        for number in (1, 2, 3):
            run("INSERT INTO attached VALUES (?, 1, ?, 'ann', 1)", (f"{number:064}", number))
        shelf.hold(f"{2:064}")
        shelf.hold(f"{2:064}")
        run("DELETE FROM attached")
        last, gone = shelf.detached()
        assert gone == [f"{1:064}"]
        shelf.forget_detached(last)
        shelf.let_go(f"{2:064}")
        assert shelf.detached() == (0, [])
        shelf.let_go(f"{2:064}")
        assert shelf.detached()[1] == [f"{2:064}", f"{3:064}"]


def test_what_has_another_name_in_a_folder_of_files_is_let_alone(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    file = name_of(b"x")
    for name in (f"{file[:2]}/{file[2:]}", "ab/notes.txt", "ab/" + "G" * 62, "zz/" + "0" * 62, f"ab/{'0' * 61}"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "ab" / ("1" * 62)).mkdir()
    (tmp_path / "cd").symlink_to(tmp_path / "ab")
    assert [each for each, _ in folder.all()] == [file]
