"""What was deleted is in no byte of the data folder of any broker of three, over real nodes; in the stream it stays."""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.client.real import on_loop
from tests.cluster.brokers import until
from tests.cluster.conftest import MakeNodes
from tests.cluster.servers import Cluster, cluster
from tests.cluster.test_server import client
from tests.integration.test_deleted_is_gone import secret, within
from zchat.client.client import ChatClient
from zchat.protocol import messages as m


async def say_and_delete(ann: ChatClient, bob: ChatClient, words: set[str], folder: Path) -> None:
    """Say things in a room, to one person, for later, and with a file; edit some, and take all of it back."""

    def new(times: int = 1) -> str:
        words.add(word := secret())
        return " ".join([word] * times)

    path = folder / "a file"
    path.write_bytes(os.urandom(1_000) + new().encode())
    said = [await ann.say(new(times), room="general") for times in (1, 3, 800)]
    said += [await ann.say(new(), to="bob")]
    said += [await ann.say(new(), room="general", files=[await ann.files.upload(path)])]
    at = datetime.now(UTC) + timedelta(hours=1)
    later = await ann.say(new(), room="general", at=at)
    await bob.search("general")  # so that the index has some of it
    for ack in said[::2]:
        await ann.messages.edit(ack.seq or 0, new())
    await bob.say("this stays", room="general")
    for ack in said:
        await ann.messages.delete(ack.seq or 0)
    await ann.messages.unschedule(later.scheduled or 0)


def left(some: Cluster, words: set[str]) -> set[tuple[str, str]]:
    return {found for name in "abc" for found in within(some.folder / name, words)}


@on_loop
async def test_what_was_deleted_is_in_no_file_of_any_broker_of_a_cluster(tmp_path: Path, make_nodes: MakeNodes) -> None:
    words: set[str] = set()
    nodes = make_nodes(3)
    brokers = tmp_path / "brokers"
    brokers.mkdir()
    async with cluster(brokers, nodes) as some:
        for name in "abc":
            await some.start(name)
        async with client(some, "a", "ann") as ann, client(some, "b", "bob") as bob:
            await say_and_delete(ann, bob, words, tmp_path)
            await some.stop("c")  # with some of it perhaps in its journal
            await say_and_delete(ann, bob, words, tmp_path)
            await some.start("c")
            await until(lambda: not left(some, words), "all of it to be gone")
            page = await bob.history(room="general")
            stones = [event for event in page.events if isinstance(event, m.Tombstone) and event.target is None]
            assert len(stones) == 8
        for name in "abc":
            await some.stop(name)
        assert not await asyncio.to_thread(left, some, words)
        kept = await asyncio.to_thread(within, nodes.folder, words)
        assert kept, "security.md says that the stream keeps it: is that so no more?"
