"""Links by which browsers come in: `zchat web link`, and `/web` at the prompt."""

import re
from pathlib import Path

from tests.conftest import Broker, RunZchat, StartBroker
from tests.gateways.web.browser import Browser, Gateway, gateway, ipc_of
from tests.integration.test_cli_network import owner_link
from zchat.protocol import links


def code_of(link: str) -> str:
    url, _, code = link.strip().partition("/#in=")
    assert url.startswith("http")
    return code


def come_in(page: Gateway, link: str) -> Browser:
    browser = Browser(page.url)
    answer = browser.come_in(code=code_of(link))
    assert answer.status_code == 200, answer.text
    return browser


def test_who_runs_the_server_gets_a_link_and_one_for_who_has_lost_theirs(
    own_page: Gateway, broker: Broker, environment: dict[str, str], zchat: RunZchat
) -> None:
    data = ("--data", str(own_page.folder / "data"), "--broker", ipc_of(environment))
    made = zchat("web", "link", *data, "--expires", "2031-02-03")
    assert made.code == 0, made.err
    assert "once, until 2031-02-03" in made.err
    assert made.out.startswith(own_page.url)
    with come_in(own_page, made.out) as browser, browser.tab() as tab:
        me = tab.of("hello")["me"]
        assert me["role"] == "owner"
        bobs = zchat("web", "link", *data, "--for", me["nick"])
    with come_in(own_page, bobs.out) as browser, browser.tab() as tab:
        assert tab.of("hello")["me"] == me
    back = zchat("web", "link", *data).out.strip()
    revoked, again = (zchat("web", "revoke", back, *data) for _ in range(2))
    assert (revoked.code, revoked.out, revoked.err) == (0, "", "zchat: Nobody comes in with this link any more.\n")
    assert (again.code, again.out, "there is no such invitation" in again.err) == (1, "", True), again.err
    with Browser(own_page.url) as late:
        assert late.come_in(code=code_of(back)).status_code == 403
    nobody = zchat("web", "link", *data, "--for", "nobody")
    assert nobody.code == 1
    assert "nobody" in nobody.err
    elsewhere = zchat("web", "link", "--for", "bob", broker=broker)
    assert elsewhere.code == 2


def test_a_member_gets_one_from_the_broker_and_says_once_where_the_page_is(
    tmp_path: Path, environment: dict[str, str], start_broker: StartBroker, zchat: RunZchat
) -> None:
    broker = start_broker("--no-guests", listen="zchat://127.0.0.1:0")
    link = owner_link(broker)
    assert zchat("join", link, "--nick", "alice").code == 0
    host, port = links.parse(link).hosts[0]
    name = f"{host}:{port}"
    with gateway(tmp_path, environment, link.rpartition("/")[0]) as page:
        made = zchat("web", "link", "--broker", name, "--url", page.url)
        assert made.code == 0, made.err
        back = zchat("web", "link", "--broker", name).out.strip()
        revoked = zchat("web", "revoke", back, "--broker", name, "--data", str(page.folder / "data"))
        assert (revoked.code, revoked.err) == (0, "zchat: Nobody comes in with this link any more.\n"), "the broker's"
        with Browser(page.url) as late:
            assert late.come_in(code=code_of(back)).status_code == 403
        with come_in(page, made.out) as browser, browser.tab() as tab:
            assert tab.of("hello")["me"]["nick"] == "alice"
            nobody = {"ZCHAT_IDENTITY": str(tmp_path / "nobody.key")}  # who runs the server, and is no member
            for where in ((), ("--broker", link.rpartition("/")[0])):
                rescue = zchat("web", "link", "--for", "alice", "--data", str(page.folder / "data"), *where, env=nobody)
                assert rescue.code == 0, rescue.err
                with come_in(page, rescue.out) as rescued:
                    assert rescued.http.get("/in").json()["nick"] == "alice"
            unknown = zchat("web", "link", "--for", "bob", "--data", str(page.folder / "data"), env=nobody)
            assert unknown.code == 1
            assert "does not carry bob" in unknown.err
            listed = zchat("device", "list", "--broker", name)
            assert "web on" in listed.out
            again = zchat("join", name, input="/web\n")  # at the prompt: it is known by now
            with come_in(page, next(line for line in again.out.splitlines() if "#in=" in line)) as other:
                assert other.http.get("/in").json() == {"guests": False, "in": True, "nick": "alice"}
            assert zchat("device", "list", "--broker", name).out == listed.out  # one person has one device here
            device = next(line for line in listed.out.splitlines() if "web on" in line)
            key = re.search(r"key:\w+", device)
            assert key is not None
            removed = zchat("device", "remove", key[0], "--broker", name)
            assert removed.code == 0, removed.err
            assert "removed" in tab.of("out")["why"]
            assert browser.http.get("/in").json()["in"] is False


def test_the_server_has_a_log_file_of_its_own(page: Gateway) -> None:
    folder = page.folder / "log"
    with Browser(page.url) as browser:
        browser.come_in(code="not-a-code")
        browser.come_in(nick="gus")
    told = (folder / "web.log").read_text()
    assert "zchat web" in told
    assert "somebody at 127.0.0.1 did not come in: This is no link" in told
    assert "gus came in at 127.0.0.1" in told
    assert not (folder / "client.log").exists()
