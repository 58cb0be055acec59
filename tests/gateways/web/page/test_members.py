"""Members at the page: in by a link, in whatever tab, and out when the login is taken away."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.conftest import Broker, StartBroker
from tests.gateways.web.page.conftest import WIDE, StartWeb, Tab, Web, needs_chromium
from tests.integration.test_cli_network import owner_link, without_code

pytestmark = needs_chromium


@pytest.fixture
def closed(start_broker: StartBroker) -> Broker:
    """Return a broker that lets in members alone."""
    return start_broker(listen="zchat://127.0.0.1:0", publish="tcp://127.0.0.1:0")


@pytest.fixture
def members(closed: Broker, start_web: StartWeb) -> Web:
    return start_web(without_code(owner_link(closed)))


@pytest.fixture
def stranger(browser: Browser, members: Web) -> Iterator[Tab]:
    """Return a tab of a browser that was never here."""
    context = browser.new_context(viewport=WIDE)
    yield Tab(context.new_page(), members)
    context.close()


def test_a_link_works_in_a_tab_where_the_page_is_open(stranger: Tab, closed: Broker, members: Web) -> None:
    page = stranger.page
    page.goto(members.url)
    expect(page.get_by_label("Link or code")).to_be_visible()
    page.goto(f"{members.url}/#in={owner_link(closed).rpartition('/')[2]}")  # nothing is loaded by that
    page.get_by_label("Your nick").fill("alice")
    page.get_by_label("Your nick").press("Enter")
    stranger.ready()


def test_a_login_that_is_taken_away_leads_to_the_door(stranger: Tab, closed: Broker, members: Web) -> None:
    page = stranger.page
    page.goto(f"{members.url}/#in={owner_link(closed).rpartition('/')[2]}")
    page.get_by_label("Your nick").fill("alice")
    page.get_by_label("Your nick").press("Enter")
    stranger.ready()
    bob = page.evaluate("""async () => {
        const { wire } = await import('/assets/wire.js');
        return (await wire.ask({ type: 'invite' })).url;
    }""")
    context = page.context.browser.new_context(viewport=WIDE)  # type: ignore[union-attr]
    second = Tab(context.new_page(), members)
    second.page.goto(bob)
    second.page.get_by_label("Your nick").fill("bob")
    second.page.get_by_label("Your nick").press("Enter")
    second.ready()
    page.evaluate("""async () => {
        const { wire } = await import('/assets/wire.js');
        const { members } = await wire.ask({ type: 'members' });
        const bob = members.find((one) => one.nick === 'bob');
        await wire.ask({ type: 'credential', from: bob.from, remove: bob.devices[0].credential });
    }""")
    expect(second.page.get_by_label("Link or code")).to_be_visible()
    expect(second.page.locator("#login")).to_contain_text(re.compile("login|device|removed", re.IGNORECASE))
    context.close()


def test_a_link_asks_first_where_somebody_is_in_already(stranger: Tab, closed: Broker, members: Web) -> None:
    page = stranger.page
    link = f"{members.url}/#in={owner_link(closed).rpartition('/')[2]}"
    page.goto(link)
    page.get_by_label("Your nick").fill("alice")
    page.get_by_label("Your nick").press("Enter")
    stranger.ready()
    code = page.evaluate("""async () => {
        const { wire } = await import('/assets/wire.js');
        return (await wire.ask({ type: 'invite' })).code;
    }""")
    bob = f"{members.url}/#in={code}"
    asked = page.get_by_role("dialog", name="You are in as alice")
    page.goto(bob)
    expect(asked).to_be_visible()
    expect(page.get_by_label("Your nick")).to_be_hidden()
    asked.get_by_role("button", name="Cancel").click()
    stranger.ready()
    expect(page.locator(".me")).to_contain_text("alice")
    page.goto(bob)  # it was not used
    asked.get_by_role("button", name="Come in anew").click()
    page.get_by_label("Your nick").fill("bob")
    page.get_by_label("Your nick").press("Enter")
    stranger.ready()
    expect(page.locator(".me")).to_contain_text("bob")
    page.goto("about:blank")
    page.goto(bob)  # it is used up now, and one stays who one is
    page.get_by_role("dialog", name="You are in as bob").get_by_role("button", name="Come in anew").click()
    expect(page.locator("#toasts")).to_contain_text("used up")
    stranger.ready()
    expect(page.locator(".me")).to_contain_text("bob")
