"""The numbers of the page's server: which they are, what moves them, and to whom they are told."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import PATIENCE, Broker, RunZchat, wait_for
from tests.gateways.web.browser import Browser, Gateway, gateway, ipc_of
from zchat import exposition
from zchat.gateways.web.metrics import FORWARDED, WEB
from zchat.version import __version__

PAGE = Path(exposition.__file__).parent / "docs" / "operations.md"
TOKEN = "s3cret"

ask = httpx.Client(timeout=PATIENCE, limits=httpx.Limits(max_keepalive_connections=0))


@pytest.fixture
def page(tmp_path: Path, environment: dict[str, str], broker: Broker) -> Iterator[Gateway]:
    """Return a gateway at a broker that lets guests in."""
    with gateway(tmp_path, environment | {"ZCHAT_WEB_METRICS_TOKEN": TOKEN}, broker) as running:
        yield running


def scrape(page: Gateway) -> dict[str, float]:
    found = ask.get(f"{page.url}/metrics")
    assert found.status_code == 200
    return {
        "/".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(found.text)
        for sample in family.samples
    }


def test_people_tabs_requests_and_bytes_are_counted(page: Gateway) -> None:
    before = scrape(page)
    assert before["zchat_web_reaches_broker"] == 1
    assert before[f"zchat_web_info/{__version__}"] == before[f"zchat_broker_info/{__version__}"] == 1
    assert before["zchat_web_people"] == before["zchat_web_sessions"] == before["zchat_web_tabs"] == 0
    with Browser(page.url) as one, Browser(page.url) as two:
        for browser, nick in ((one, "gus"), (two, "gina")):
            assert browser.come_in(nick=nick).status_code == 200
        with one.tab() as gus, one.tab() as other:
            gus.of("hello")
            other.of("hello")
            gus.ask("say", room="general", text="ä" * 5_000, once="k")
            now = scrape(page)
            assert (now["zchat_web_people"], now["zchat_web_tabs"]) == (2, 2)
            assert now["zchat_web_sessions"] >= 1
            assert 30_000 < now["zchat_web_received_bytes_total"] - before["zchat_web_received_bytes_total"] < 32_000
            sent = "zchat_web_sent_bytes_total"
            wait_for(lambda: scrape(page)[sent] - before[sent] > 2 * 10_000, "both tabs to be sent it")
            head = before["zchat_log_head"] + 1
            wait_for(lambda: scrape(page)["zchat_log_head"] == head, "the broker to be asked once more")
        assert one.http.get("/in", headers={"Host": "evil.example"}).status_code == 421
        wait_for(lambda: scrape(page)["zchat_web_tabs"] == 0, "the tabs to be gone")
    assert scrape(page)["zchat_web_requests_total/421"] == 1


def test_what_is_posted_to_hooks_is_counted_by_what_became_of_it(page: Gateway) -> None:
    code = ask.post(f"{page.url}/hook/nonsense", content=b"x" * 1_000).status_code
    assert code != 200
    found = scrape(page)
    assert found[f"zchat_web_hooks_total/{code}"] == 1


def test_the_numbers_are_for_this_machine_or_who_has_the_token(page: Gateway) -> None:
    where, proved = f"{page.url}/metrics", {"Authorization": f"Bearer {TOKEN}"}
    assert ask.get(where).status_code == 200
    for header in FORWARDED:
        assert ask.get(where, headers={header: "1.2.3.4"}).status_code == 404
        assert ask.get(where, headers={header: "1.2.3.4"} | proved).status_code == 200
    assert ask.get(where, headers={"Host": "evil.example"}).status_code == 404
    assert ask.get(where, headers={"Host": "chat.example"} | proved).status_code == 200
    for wrong in ("Bearer", "Bearer s3cre", f"Basic {TOKEN}", TOKEN):
        assert ask.get(where, headers={"Via": "1.1 proxy", "Authorization": wrong}).status_code == 404
    for elsewhere in ("/health", "/health?x"):
        assert ask.get(f"{page.url}{elsewhere}", headers={"Via": "1.1 proxy"}).json() == {"status": "ok"}


def test_without_a_token_nothing_counts_as_one(tmp_path: Path, environment: dict[str, str], broker: Broker) -> None:
    with gateway(tmp_path, environment | {"ZCHAT_WEB_METRICS_TOKEN": ""}, broker) as page:
        for given in ("Bearer", "Bearer None"):
            headers = {"Via": "1.1 proxy", "Authorization": given}
            assert ask.get(f"{page.url}/metrics", headers=headers).status_code == 404


def test_health_is_that_the_broker_answers_with_people_and_without(page: Gateway, broker: Broker) -> None:
    health = f"{page.url}/health"
    assert ask.get(health).status_code == 200
    broker.kill()
    wait_for(lambda: ask.get(health).status_code == 503, "the broker to be missed")
    assert ask.get(health).json()["why"] == "the broker does not answer"
    assert scrape(page)["zchat_web_reaches_broker"] == 0
    assert "zchat_log_head" not in scrape(page)
    broker.restart()
    wait_for(lambda: ask.get(health).status_code == 200, "the broker to be found")


def test_an_owner_sees_what_the_broker_has_counted_and_a_guest_does_not(
    tmp_path: Path, environment: dict[str, str], broker: Broker, zchat: RunZchat, page: Gateway
) -> None:
    assert "zchat_messages_total" not in scrape(page)
    (tmp_path / "own").mkdir()
    with gateway(tmp_path / "own", environment, ipc_of(environment)) as own, Browser(own.url) as browser:
        assert "zchat_messages_total" not in scrape(own), "its user has not come in yet"
        assert browser.come_in(code=own.own_code).status_code == 200
        wait_for(lambda: scrape(own).get("zchat_members") == 1, "the numbers of the broker")
        assert zchat("send", "one more", broker=broker).code == 0
        wait_for(lambda: scrape(own)["zchat_messages_total"] == 1, "what was said to be counted")
        shown = {name.partition("/")[0] for name in scrape(own)}
        assert {name for name in exposition.BROKER if name.startswith("zchat_files")} <= shown


def test_all_numbers_are_in_the_documents() -> None:
    rows = re.findall(r"^\| `(zchat_web_\w+)`(?: by `(\w+)`)? \| (\w+) \|", PAGE.read_text(), re.MULTILINE)
    assert rows == [(name, kind.label, kind.type) for name, kind in WEB.items()]
