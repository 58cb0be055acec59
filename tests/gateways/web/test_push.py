"""Web Push: who is told of what, by which addresses, and what a push service gets to see."""

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.client.real import on_loop, until
from tests.gateways.people.carried import team
from tests.gateways.web.push_service import Service, service
from zchat.client.addresses import resolve
from zchat.client.client import ChatClient
from zchat.errors import RefusedError, StorageError
from zchat.gateways.people.feed import Heard
from zchat.gateways.people.people import People
from zchat.gateways.web.gateway import Gateway
from zchat.gateways.web.household import Household
from zchat.gateways.web.push import AT_ONCE, Notice, Outcome, Push
from zchat.gateways.web.site import site_of
from zchat.gateways.web.subscriptions import Keys, Subscription, Subscriptions, check_endpoint, is_public
from zchat.gateways.web.watching import Watching
from zchat.protocol import messages as m

NOTICE = Notice("gina", "called you in #general", "room/general", "room/general", 7, "/room/general/7")


def push_to(running: Service, folder: Path, **settings: Any) -> Push:
    """Return what pushes to a service on this machine, which is not allowed otherwise."""
    return Push(folder / "push.pem", "https://chat.example", tls=running.tls, **{"allowed": lambda _: True} | settings)


# -- one notice


@on_loop
async def test_a_notice_is_encrypted_for_the_browser_and_signed_by_us(tmp_path: Path) -> None:
    async with service(tmp_path) as running, push_to(running, tmp_path) as push:
        assert await push.send(running.subscription, NOTICE) is Outcome.SENT
        (line, headers, body) = running.got[0]
        assert line == "POST /abc HTTP/1.1"
        assert running.read(body)["body"] == "called you in #general"
        assert b"general" not in body
        assert (headers["content-encoding"], headers["ttl"]) == ("aes128gcm", "86400")
        token = headers["authorization"].removeprefix("vapid t=").partition(",k=")
        assert token[2] == push.public_key
        claims = json.loads(base64.urlsafe_b64decode(token[0].split(".")[1] + "=="))
        assert (claims["aud"], claims["sub"]) == (f"https://localhost:{running.port}", "https://chat.example")
    async with push_to(running, tmp_path) as again:
        assert again.public_key == push.public_key
    assert (tmp_path / "push.pem").stat().st_mode & 0o777 == 0o600


@on_loop
async def test_it_follows_nothing_and_goes_to_no_address_of_our_own_network(tmp_path: Path) -> None:
    async with service(tmp_path) as running:
        async with push_to(running, tmp_path) as push:
            running.status, running.headers = 302, b"Location: https://localhost:%d/other\r\n" % running.port
            assert await push.send(running.subscription, NOTICE) is Outcome.FAILED
            assert len(running.got) == 1
            for status, outcome in (
                (404, Outcome.GONE),
                (410, Outcome.GONE),
                (500, Outcome.FAILED),
                (429, Outcome.FAILED),
            ):
                running.status = status
                assert await push.send(running.subscription, NOTICE) is outcome
        before = len(running.got)
        async with push_to(running, tmp_path, allowed=is_public) as strict:
            assert await strict.send(running.subscription, NOTICE) is Outcome.FAILED
            literal = running.subscription.endpoint.replace("localhost", "127.0.0.1")
            digits = running.subscription.endpoint.replace("localhost", "①②⑦.0.0.1")
            for where in (literal, digits):  # what needs no look-up
                asked = Subscription(where, running.subscription.keys)
                assert await strict.send(asked, NOTICE) is Outcome.FAILED
        assert len(running.got) == before
        async with push_to(running, tmp_path) as push:
            broken = Subscription(running.subscription.endpoint, Keys("no key", "none"))
            assert await push.send(broken, NOTICE) is Outcome.GONE


@on_loop
async def test_who_has_us_wait_keeps_no_notice_from_the_services_of_browsers(tmp_path: Path) -> None:
    silent = socket.create_server(("127.0.0.1", 0), backlog=4 * AT_ONCE)
    async with service(tmp_path) as running, push_to(running, tmp_path, services=("localhost",)) as push:
        own = Subscription(f"https://127.0.0.1:{silent.getsockname()[1]}/a", running.subscription.keys)
        waiting = [asyncio.create_task(push.send(own, NOTICE)) for _ in range(3 * AT_ONCE)]
        await asyncio.sleep(0)
        assert await push.send(running.subscription, NOTICE) is Outcome.SENT
        assert not any(task.done() for task in waiting), "it has not waited for them"
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    silent.close()


@pytest.mark.parametrize(
    "url",
    [
        "http://push.example.org/a", "https://localhost/a", "https://printer/a", "https://127.0.0.1/a", "https://10.0.0.1/a",
        "https://192.168.1.1/a", "https://169.254.169.254/latest", "https://[::1]/a", "https://[::ffff:10.0.0.1]/a",
        "https://[fe80::1]/a", "https://0x7f000001/a", "https://2130706433/a", "https://push.example.org:8443/a",
        "https://127。0.0.1/a", "https://⑩.0.0.1/a", "https://[64:ff9b::7f00:1]/a", "https://[::7f00:1]/a",
        "https://user@push.example.org/a", "ftp://push.example.org/a", "https://", "https://[bad/a", "x" * 3000,
    ],
)  # fmt: skip
def test_an_address_that_leads_to_our_own_network_is_refused(url: str) -> None:
    with pytest.raises(RefusedError):
        check_endpoint(url)


def test_addresses_of_push_services_are_taken() -> None:
    for url in ("https://fcm.googleapis.com/fcm/send/a", "https://updates.push.services.mozilla.com/wpush/v2/a"):
        check_endpoint(url)
    assert is_public("8.8.8.8")
    assert is_public("2606:4700::1")
    for address in ("0.0.0.0", "100.64.0.1", "::", "fc00::1", "224.0.0.1", "2002:7f00:1::", "nonsense"):
        assert not is_public(address), address


def test_subscriptions_are_kept_by_login_and_one_browser_has_one(tmp_path: Path) -> None:
    def browser(name: str) -> Subscription:
        return Subscription(f"https://push.example.org/{name}", Keys("a", "b"))

    known = Subscriptions(tmp_path / "push.json")
    known.put("login1", "alice", browser("a"))
    known.put("login2", "alice", browser("b"))
    known.put("login3", "bob", browser("a"))  # the same browser: alice has left it
    again = Subscriptions(tmp_path / "push.json")
    assert again.of("alice") == {"login2": browser("b")}
    assert again.people() == {"alice", "bob"}
    again.keep(lambda login: login == "login3")
    again.put("login3", "bob", None)
    assert Subscriptions(tmp_path / "push.json").people() == set()
    (tmp_path / "push.json").write_text("{")
    with pytest.raises(StorageError):
        Subscriptions(tmp_path / "push.json")


# -- who is told


class Scene:
    """A gateway with gus in it, who wants to be told, and gina at her terminal."""

    def __init__(self, gateway: Gateway, running: Service, subscriptions: Subscriptions, gina: ChatClient) -> None:
        self.gateway, self.service, self.subscriptions, self.gina = gateway, running, subscriptions, gina
        self.token = ""

    async def told(self, count: int) -> list[dict[str, Any]]:
        """Return what was pushed, once it is so much."""
        await until(lambda: len(self.service.got) >= count, f"{count} notices")
        return [self.service.read(body) for _, _, body in self.service.got]

    async def household(self) -> Household:
        return await self.gateway.households.of(self.token)


@asynccontextmanager
async def scene(folder: Path, wait: float = 0.2) -> AsyncIterator[Scene]:
    async with (
        service(folder) as running,
        team(folder, "tcp://127.0.0.1:0") as where,
        People(folder / "g", resolve(where.server.listen), device="web", timeout=30.0, linger=0.05) as people,
        ChatClient("gina", where.server.listen, rooms=["general"], timeout=30.0) as gina,
        push_to(running, folder) as push,
    ):
        gateway = Gateway(site_of("127.0.0.1", 8080, None, False), people, folder / "g")
        subscriptions = Subscriptions(folder / "push.json", check=lambda _: None)
        made = Scene(gateway, running, subscriptions, gina)
        gus, made.token = await people.guest("gus")
        subscriptions.put(people.logins.key(made.token), gus.id, running.subscription)
        async with Watching(gateway, subscriptions, push, wait=wait):
            yield made


@on_loop
async def test_who_is_called_and_has_no_tab_open_is_told_once_for_each_place(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        for text in ("nothing", "gus?", "are you there, gus?"):
            await it.gina.say(text, room="general")
        await it.gina.say("psst", to="gus")
        told = await it.told(2)
        assert [(each["title"], each["body"]) for each in told] == [
            ("gina", "called you in #general"),
            ("gina", "wrote to you"),
        ]
        assert told[1]["key"] == f"with/{it.gina.from_}"
        assert told[1]["address"] == f"/with/{it.gina.from_}/{told[1]['seq']}"
        await it.gina.say("gus, once more", room="general")
        assert len(await it.told(3)) == 3


@on_loop
async def test_nobody_is_told_of_what_they_see_or_have_read(tmp_path: Path) -> None:
    async with scene(tmp_path, wait=3.0) as it:  # the reading has to be faster, also on a busy machine
        household = await it.household()
        tab = household.enter()
        await it.gina.say("gus, which you see", room="general")
        ack = await it.gina.say("gus, which you read", room="general")
        await household.person.client.messages.mark_read(ack.seq or 0, room="general")
        tab.visible = False
        ack = await it.gina.say("gus, which you read, too", room="general")
        await household.person.client.messages.mark_read(ack.seq or 0, room="general")
        await it.gina.say("psst", to="gus")
        told = await it.told(1)
        assert [each["body"] for each in told] == ["wrote to you"]
        household.leave(tab)
        it.gateway.households.left(household)


@on_loop
async def test_a_browser_that_is_gone_and_a_login_that_is_over_are_told_no_more(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        it.service.status = 410
        await it.gina.say("gus", room="general")
        await it.told(1)
        await until(lambda: not it.subscriptions.people())
        household = await it.household()
        gus = household.person
        it.gateway.households.left(household)
        it.subscriptions.put(it.gateway.people.logins.key(it.token), gus.id, it.service.subscription)
        await it.gateway.leave(it.token)
        assert not it.subscriptions.people()


@on_loop
async def test_what_comes_before_and_after_a_mark_in_one_go_is_shown_in_order(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        household = await it.household()
        tab = household.enter()
        said = [
            m.Message(
                seq=seq,
                prev=seq - 1,
                room="general",
                time="",
                from_=it.gina.from_,
                nick="gina",
                kind="message",
                text="",
            )
            for seq in (1, 2)
        ]
        heard = (said[0], m.ReadMarked(room="general", seq=1), said[1])
        await household._take([Heard(event, b"") for event in heard])
        shown = [json.loads(await tab.next() or "") for _ in range(4)]
        assert [frame["type"] for frame in shown] == ["hello", "events", "read", "events"]
        assert [each["seq"] for frame in shown[1::2] for each in frame["events"]] == [1, 2]
        household.leave(tab)
        it.gateway.households.left(household)
