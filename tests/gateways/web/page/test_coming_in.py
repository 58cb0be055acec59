"""Coming in to the page: as a guest, by a link that counts once, by an invitation; and what is told when it fails."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.conftest import Broker, StartBroker
from tests.gateways.web.browser import Gateway, gateway
from tests.gateways.web.page.conftest import Visit, Web, needs_chromium
from tests.integration.raw import unique
from tests.integration.test_cli_network import owner_link, without_code

pytestmark = needs_chromium


@pytest.fixture
def stranger(browser: Browser) -> Iterator[Page]:
    """Return a page of a browser that has never been here."""
    context = browser.new_context(locale="en-US")
    yield context.new_page()
    context.close()


def test_a_guest_comes_in_with_a_nick_and_stays_in(stranger: Page, web: Web, room: str, visit: Visit) -> None:
    taken = visit("alice", f"/room/{room}").nick
    stranger.goto(f"{web.url}/room/{room}")
    nick = stranger.get_by_label("Your nick")
    expect(nick).to_be_focused()
    nick.fill(taken)
    nick.press("Enter")
    expect(stranger.get_by_role("alert")).to_contain_text(taken)
    nick.fill(mine := unique("bob"))
    nick.press("Enter")
    expect(stranger.locator(".me-nick")).to_have_text(mine)
    expect(stranger.get_by_role("heading", name=room).first).to_be_visible()
    stranger.reload()
    expect(stranger.locator(".me-nick")).to_have_text(mine)
    stranger.get_by_label("Settings").click()
    stranger.get_by_role("button", name="Log this browser out").click()
    stranger.get_by_role("button", name="Log out").click()
    expect(stranger.get_by_label("Your nick")).to_be_visible()


def test_a_link_lets_its_owner_in_once_and_leaves_no_trace(stranger: Page, own_page: Gateway, browser: Browser) -> None:
    code = own_page.own_code
    stranger.goto(f"{own_page.url}/#in={code}")
    expect(stranger.locator(".me")).to_contain_text("owner")
    assert code not in stranger.url, "the code is not in the address any more"
    other = browser.new_context(locale="en-US").new_page()
    other.goto(f"{own_page.url}/#in={code}")
    expect(other.get_by_role("alert")).to_contain_text(re.compile("link|invitation|used"))
    other.context.close()


def test_an_invitation_asks_for_the_nick(
    stranger: Page, browser: Browser, tmp_path: Path, environment: dict[str, str], start_broker: StartBroker
) -> None:
    door, _, code = owner_link(start_broker("--no-guests", listen="zchat://127.0.0.1:0")).rpartition("/")
    with gateway(tmp_path, environment, door) as page:
        stranger.goto(page.url)
        expect(stranger.get_by_text("by a link, which works once")).to_be_visible()
        stranger.goto(f"{page.url}/#in={code}")
        expect(stranger.get_by_text("You were invited")).to_be_visible()
        stranger.get_by_label("Your nick").fill("alice")
        stranger.keyboard.press("Enter")
        expect(stranger.locator(".me")).to_contain_text("aliceowner")
        stranger.get_by_label("Join or make a room").click()
        stranger.get_by_role("button", name="Invite somebody").click()
        link = stranger.get_by_label("For a browser").input_value()
        assert link.startswith(page.url)
        newcomer = browser.new_context(locale="en-US").new_page()
        newcomer.goto(link)
        newcomer.get_by_label("Your nick").fill("bob")
        newcomer.keyboard.press("Enter")
        expect(newcomer.locator(".me")).to_contain_text("bobmember")
        newcomer.context.close()


def restart(broker: Broker) -> None:
    """Start a broker that takes keys again at its address."""
    broker.listen = without_code(broker.listen)  # it prints its key with it
    broker.restart()


def test_the_door_waits_for_a_broker_that_is_away_and_goes_on_by_itself(
    stranger: Page, tmp_path: Path, environment: dict[str, str], start_broker: StartBroker
) -> None:
    broker = start_broker("--open", listen="zchat://127.0.0.1:0")
    link, alert = owner_link(broker), stranger.get_by_role("alert")
    with gateway(tmp_path, environment, link.rpartition("/")[0], "--timeout", "1") as page:
        broker.kill()
        stranger.goto(page.url)
        expect(alert).to_contain_text("This page goes on by itself")
        restart(broker)
        expect(stranger.get_by_text("Guests are let in")).to_be_visible()
        expect(alert).to_be_empty()
        stranger.get_by_label("Your nick").fill("no nick")
        stranger.get_by_label("Or a link").fill(link)  # who is no guest
        stranger.keyboard.press("Enter")
        expect(stranger.get_by_text("You were invited")).to_be_visible()
        expect(alert).not_to_be_empty()  # the nick was sent, too
        broker.kill()
        stranger.get_by_label("Your nick").fill("alice")
        stranger.keyboard.press("Enter")
        expect(alert).to_contain_text("This page goes on by itself")
        restart(broker)
        expect(stranger.locator(".me")).to_contain_text("aliceowner")


def test_a_pasted_invitation_asks_for_the_nick_and_one_that_is_used_for_another(
    stranger: Page, tmp_path: Path, environment: dict[str, str], start_broker: StartBroker
) -> None:
    link = owner_link(start_broker("--no-guests", listen="zchat://127.0.0.1:0"))
    with gateway(tmp_path, environment, link.rpartition("/")[0]) as page:
        stranger.goto(page.url)
        pasted = stranger.get_by_label("Link or code")
        pasted.fill(link[:-3])
        pasted.press("Enter")
        expect(stranger.get_by_role("alert")).to_contain_text("This is no link that leads in here")
        expect(stranger.get_by_role("alert")).not_to_contain_text("bad_invite")
        pasted.fill(link)
        pasted.press("Enter")
        nick = stranger.get_by_label("Your nick")
        expect(nick).to_be_focused()
        nick.fill("alice")
        nick.press("Enter")
        expect(stranger.locator(".me")).to_contain_text("aliceowner")
        stranger.context.clear_cookies()
        stranger.goto("about:blank")
        stranger.goto(f"{page.url}/#in={link.rpartition('/')[2]}")
        expect(stranger.get_by_role("alert")).to_contain_text("This invitation is used up")
        expect(pasted).to_be_focused()
