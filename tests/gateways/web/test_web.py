"""The page's server, as a process at a real broker: coming in, talking, and what is told to tabs."""

import contextlib
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.conftest import Broker, RunZchat
from tests.gateways.web.browser import Browser, Frame, Gateway

PUSHED = {"endpoint": "https://push.example.org/abc", "keys": {"p256dh": "a", "auth": "b"}}


def test_guests_come_in_and_talk(page: Gateway) -> None:
    with Browser(page.url) as one, Browser(page.url) as two:
        assert one.http.get("/in").json() == {"guests": True, "in": False}
        for browser, nick in ((one, "gus"), (two, "gina")):
            assert browser.come_in(nick=nick).json() == {"ok": True}
        assert one.http.get("/in").json() == {"guests": True, "in": True, "nick": "gus"}
        with one.tab() as gus, two.tab() as gina:
            hello = gus.of("hello")
            assert (hello["me"]["nick"], hello["me"]["role"], hello["online"]) == ("gus", "guest", True)
            assert [room["name"] for room in hello["rooms"]] == ["general"]
            assert {each["nick"] for each in gina.of("hello")["rooms"][0]["members"]} == {"gus", "gina"}
            ack = gus.ask("say", room="general", text="hi **you** :tada:\n@gina", once="k1")
            assert ack["type"] == "ack"
            for tab in (gus, gina):
                event = tab.event(seq=ack["seq"])
                assert (event["text"], event["nick"]) == ("hi **you** 🎉\n@gina", "gus")
                assert "<strong>you</strong> 🎉<br>" in event["html"]
                assert '<span class="mention">@gina</span>' in event["html"]
            again = gina.ask("history", room="general", limit=10, current=True)
            assert [each["html"] for each in again["events"]] == [event["html"]]
            assert gus.ask("say", room="general", text="twice", once="k1") == ack | {"n": 2, "duplicate": True}
            gus.ask("edit", seq=ack["seq"], text="bye :wave:")
            assert gina.event("edit")["text"] == "bye 👋"


def test_who_runs_it_comes_in_once_by_the_link_that_it_prints(own_page: Gateway, zchat: RunZchat) -> None:
    with Browser(own_page.url) as browser:
        code = own_page.own_code
        assert browser.come_in(code=code).status_code == 200
        cookie = browser.cookie
        assert browser.come_in(code=code).json()["code"] == "bad_invite"
        with browser.tab() as tab:
            assert tab.of("hello")["me"]["role"] == "owner"
            assert zchat("send", "from the shell", env={"ZCHAT_BROKER": own_page.broker}).code == 0
            assert tab.event()["text"] == "from the shell"
        assert browser.post("/out").json() == {"ok": True}
        assert browser.cookie == ""
        with browser.tab(additional_headers={"Cookie": cookie}) as tab:
            assert tab.of("out")["why"]
            with pytest.raises(ConnectionClosed):
                tab.next()


def test_a_page_of_somebody_else_gets_nowhere(page: Gateway) -> None:
    with Browser(page.url) as browser:
        assert browser.come_in(nick="gus").status_code == 200
        evil = {"Origin": "https://evil.example", "X-Zchat": "1"}
        for path in ("/in", "/out"):
            assert browser.post(path, {"nick": "eve"}, headers=evil).status_code == 403
            assert browser.post(path, {"nick": "eve"}, headers={"Origin": page.url}).status_code == 403
            assert browser.post(path, {"nick": "eve"}, headers={"X-Zchat": "1"}).status_code == 403
        assert browser.http.get("/in", headers={"Host": "evil.example"}).status_code == 421
        for origin in ("https://evil.example", None):
            with pytest.raises(InvalidStatus) as error, browser.tab(origin=origin):
                pass
            assert error.value.response.status_code == 403
        assert browser.http.get("/in").json()["in"]


def test_what_two_tabs_read_rename_and_enter_is_told_to_both(page: Gateway) -> None:
    with Browser(page.url) as browser, Browser(page.url) as other:
        browser.come_in(nick="gus")
        other.come_in(nick="gina")
        with other.tab() as gina:
            gina.of("hello")
            with browser.tab() as one, browser.tab() as two:
                one.of("hello")
                two.of("hello")
                seq = gina.ask("say", room="general", text="read me, gus")["seq"]
                one.event(seq=seq)
                with browser.tab() as third:
                    room = third.of("hello")["rooms"][0]
                    assert (room["unread"], room["mentions"], room["through"]) == (1, 1, seq)
                assert one.ask("read", room="general", seq=seq)["type"] == "ack"
                assert two.of("read") == {"type": "read", "room": "general", "seq": seq}
                assert one.ask("unread", room="general", seq=seq)["type"] == "ok"
                for tab in (one, two):
                    told = {"room": "general", "seq": seq - 1, "unread": 1, "mentions": 1}
                    assert tab.of("unread") == {"type": "unread", **told}
            with browser.tab() as one, browser.tab() as two:  # it outlives the last tab
                room = one.of("hello")["rooms"][0]
                assert (room["read"], room["unread"], room["unmarked"]) == (seq - 1, 1, True)
                assert one.ask("read", room="general", seq=seq)["type"] == "ack"
                assert two.of("read")["seq"] == seq
                assert one.ask("nick", nick="gustav")["nick"] == "gustav"
                assert two.of("me")["me"]["nick"] == "gustav"
                assert one.ask("join", room="#Dev")["room"] == "dev"
                assert two.of("room")["room"]["name"] == "dev"
                assert one.ask("part", room="#dev")["room"] == "dev"
                assert two.of("parted") == {"type": "parted", "room": "dev"}
                room = two.ask("rooms")["rooms"][0]
                assert room["room"] == "general"


def test_what_is_said_in_a_room_that_was_entered_and_never_read_is_new_until_somebody_has_seen_it(
    page: Gateway,
) -> None:
    with Browser(page.url) as browser, Browser(page.url) as other:
        browser.come_in(nick="gus")
        other.come_in(nick="gina")
        with other.tab() as gina:
            gina.of("hello")
            gina.ask("say", room="old", text="before you came, gus")
            with browser.tab() as tab:
                tab.of("hello")
                for room in ("empty", "old"):
                    assert tab.ask("join", room=room)["type"] == "joined"
            for room in ("empty", "general", "old"):
                gina.ask("say", room=room, text="gus?")
            page.kill()
        page.start()
        with browser.tab() as tab:
            told = {room["name"]: (room["unread"], room["mentions"]) for room in tab.of("hello")["rooms"]}
            assert told == {"empty": (1, 1), "general": (1, 1), "old": (1, 1)}


def test_a_direct_message_begins_a_conversation_and_counts_until_it_is_read(page: Gateway) -> None:
    with Browser(page.url) as browser, Browser(page.url) as other:
        browser.come_in(nick="gus")
        other.come_in(nick="gina")
        with other.tab() as gina, browser.tab() as gus:
            me, her = gus.of("hello")["me"], gina.of("hello")["me"]
            gina.ask("say", to="gus", **{"with": me["from"]}, text="psst")
            assert gus.event(text="psst")["from"] == her["from"]
            with browser.tab() as late:
                talk = late.of("hello")["talks"][0]
                assert (talk["with"], talk["nick"], talk["unread"]) == (her["from"], "gina", 1)
                late.ask("read", to="gina", **{"with": her["from"]}, seq=talk["through"])
            assert gus.of("read") == {"type": "read", "with": her["from"], "seq": talk["through"]}
        with other.tab() as gina:
            gina.of("hello")
            for text in ("once more", "and again"):
                seq = gina.ask("say", to="gus", **{"with": me["from"]}, text=text)["seq"]

        def told(talk: Frame) -> tuple[int, int, bool]:
            assert (talk["with"], talk["nick"], talk["through"]) == (her["from"], "gina", seq)
            return talk["read"], talk["unread"], talk["unmarked"]

        read = talk["through"]
        with browser.tab() as gus:  # nobody was here meanwhile
            assert told(gus.of("hello")["talks"][0]) == (read, 2, False)
            gus.ask("unread", **{"with": her["from"]}, seq=read)
        with browser.tab() as gus:
            assert told(gus.of("hello")["talks"][0]) == (read - 1, 3, True)
            gus.ask("read", to="gina", **{"with": her["from"]}, seq=seq)
        with browser.tab() as gus:
            assert told(gus.of("hello")["talks"][0]) == (seq, 0, False)
            gus.ask("unread", **{"with": her["from"]}, seq=read)
            seq = gus.ask("say", to="gina", **{"with": her["from"]}, text="yes")["seq"]
            gus.event(text="yes")
            with browser.tab() as late:
                assert told(late.of("hello")["talks"][0]) == (seq, 0, False), "one's own word reads what is before it"


REFUSED: list[tuple[dict[str, object], str]] = [
    ({"type": "hello", "protocol": 1}, "bad_command"),
    ({"type": "bye"}, "bad_command"),
    ({"type": "put", "file": "0" * 64, "size": 1}, "bad_command"),
    ({"type": "say", "room": "general"}, "bad_command"),
    ({"type": "say", "room": "general", "text": ""}, "bad_text"),
    ({"type": "join", "room": "no room!"}, "bad_room"),
    ({"type": "join", "room": "+secret"}, "unknown_room"),
    ({"type": "invite"}, "forbidden"),
]


def test_what_a_page_may_not_ask_is_refused(page: Gateway) -> None:
    with Browser(page.url) as browser:
        browser.come_in(nick="gus")
        with browser.tab() as tab:
            tab.of("hello")
            tab.socket.send("no json")
            assert tab.of("refused")["code"] == "bad_json"
            for id_, (command, code) in enumerate(REFUSED):
                tab.send(command | {"id": id_})
                refused = tab.of("refused")
                assert (refused["id"], refused["code"]) == (id_, code), command


def test_a_browser_asks_to_be_told_by_push_and_names_no_address_of_our_network(page: Gateway) -> None:
    with Browser(page.url) as browser:
        assert browser.post("/push", {"subscription": None}).status_code == 403
        browser.come_in(nick="gus")
        with browser.tab() as tab:
            assert len(tab.of("hello")["push"]) == 87  # a point of the curve, in base64
        assert browser.post("/push", {"subscription": PUSHED}).json() == {"ok": True}
        assert browser.post("/push", {"subscription": None}).json() == {"ok": True}
        for endpoint in ("https://127.0.0.1/", "http://push.example.org/", "https://intern/"):
            refused = browser.post("/push", {"subscription": PUSHED | {"endpoint": endpoint}})
            assert (refused.status_code, refused.json()["code"]) == (400, "bad_command")
        broken: Any
        for broken in ({"subscription": {}}, {"subscription": PUSHED | {"keys": 1}}, [1]):
            assert browser.post("/push", broken).status_code == 400


def test_killed_and_begun_again_it_knows_its_people_and_says_nothing_twice(
    page: Gateway, broker: Broker, zchat: RunZchat
) -> None:
    with Browser(page.url) as browser:
        browser.come_in(nick="gus")
        with browser.tab() as tab:
            tab.of("hello")
            for number in range(50):
                tab.send({"type": "say", "room": "general", "text": f"{number}", "once": f"k{number}", "id": number})
            tab.of("reply")
            page.kill()
        left = next(page.folder.rglob("uploads")) / "0123456789abcdef"
        left.mkdir()
        page.start()
        assert not left.exists(), "of an upload that was under way"
        with browser.tab() as tab:
            assert tab.of("hello")["me"]["nick"] == "gus"
            for number in range(50):
                assert tab.ask("say", room="general", text=f"{number}", once=f"k{number}")["type"] == "ack"
    told = zchat("history", "--json", "--limit", "100", broker=broker).out.splitlines()
    assert sorted(line.partition('"text":"')[2].partition('"')[0] for line in told) == sorted(map(str, range(50)))


def test_while_the_broker_is_away_a_tab_is_told_so_and_gets_a_hello_with_its_rooms_when_it_is_back(
    page: Gateway, broker: Broker
) -> None:
    with Browser(page.url) as browser, Browser(page.url) as other:
        browser.come_in(nick="gus")
        other.come_in(nick="gina")
        with browser.tab() as tab, other.tab() as gina:
            tab.of("hello")
            gina.of("hello")
            said = gina.ask("say", room="general", text="gus?")["seq"]
            tab.event(seq=said)
            broker.kill()
            assert tab.of("state")["online"] is False
            with browser.tab() as meanwhile:
                assert rooms_of(meanwhile.of("hello")) == {"general": said}
                broker.start()
                for one in (tab, meanwhile):
                    hello = one.of("hello")
                    assert (hello["online"], rooms_of(hello)) == (True, {"general": said})
            assert tab.ask("say", room="general", text="back")["type"] == "ack"
            with browser.tab() as late:
                assert list(rooms_of(late.of("hello"))) == ["general"]


def rooms_of(hello: Frame) -> dict[str, int]:
    """Return through where each room is known."""
    return {room["name"]: room["through"] for room in hello["rooms"]}


def test_a_tab_that_comes_before_the_broker_waits_for_it(page: Gateway, broker: Broker) -> None:
    with Browser(page.url) as browser:
        browser.come_in(nick="gus")
        page.stop()
        broker.stop()
        page.args = ("--timeout", "0.5")
        page.start()
        with browser.tab() as tab:
            state = tab.of("state")
            assert (state["online"], state["retry_in"]) == (False, 1.0)
            broker.start()
            assert tab.of("hello")["me"]["nick"] == "gus"


def test_it_ends_gracefully_and_tells_tabs_to_come_again(page: Gateway) -> None:
    with Browser(page.url) as browser:
        browser.come_in(nick="gus")
        with browser.tab() as tab:
            tab.of("hello")
            assert page.stop() == 0
            with pytest.raises(ConnectionClosed) as error:
                tab.of("nothing")
            assert error.value.rcvd is not None
            assert error.value.rcvd.code == 1012
        assert page.output("stderr") == ""


def test_who_signs_out_reads_nothing_more_in_that_browser_and_goes_on_in_another(
    own_page: Gateway, zchat: RunZchat
) -> None:
    where = {"ZCHAT_BROKER": own_page.broker}
    link = zchat("web", "link", "--data", str(own_page.folder / "data"), env=where)
    assert link.code == 0, link.err
    with Browser(own_page.url) as one, Browser(own_page.url) as two:
        assert one.come_in(code=own_page.own_code).status_code == 200
        assert two.come_in(code=link.out.strip().rpartition("#in=")[2]).status_code == 200
        with one.tab() as left_open, two.tab() as other:
            left_open.of("hello")
            other.of("hello")
            assert one.post("/out").json() == {"ok": True}
            assert left_open.of("out")["why"]
            with pytest.raises(ConnectionClosed) as closed:
                left_open.next()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4401
            assert other.ask("rooms")["type"] == "rooms"


def test_who_logs_all_other_browsers_out_is_in_with_one_alone(own_page: Gateway, zchat: RunZchat) -> None:
    where, data = {"ZCHAT_BROKER": own_page.broker}, str(own_page.folder / "data")
    link = zchat("web", "link", "--data", data, env=where).out.strip()
    with Browser(own_page.url) as lost, Browser(own_page.url) as new:
        assert lost.come_in(code=own_page.own_code).status_code == 200
        assert lost.post("/push", {"subscription": PUSHED}).json() == {"ok": True}
        assert new.come_in(code=link.rpartition("#in=")[2]).status_code == 200
        with lost.tab() as left_open, new.tab() as here:
            left_open.of("hello")
            here.of("hello")
            assert new.post("/out", {"others": True}).json() == {"ok": True}
            assert "another one" in left_open.of("out")["why"]
            assert here.ask("rooms")["type"] == "rooms"
        assert (lost.http.get("/in").json()["in"], new.http.get("/in").json()["in"]) == (False, True)
        told = (own_page.folder / "data" / "web").rglob("push.json")
        assert [each.read_text() for each in told] == ["{}"], "it is pushed to the lost one no more"
        assert new.post("/out", [1]).status_code == 400


def test_numbers_that_nothing_can_hold_are_refused_and_nothing_is_logged_of_them(page: Gateway) -> None:
    with Browser(page.url) as browser:
        browser.come_in(nick="gus")
        huge = "9" * 30
        with browser.tab() as tab:
            tab.of("hello")
            for bad in (
                f'{{"id":{huge},"type":"rooms"}}',
                f'{{"id":1,"type":"history","room":"general","before":{huge}}}',
                f'{{"id":1,"type":"read","room":"general","seq":{huge}}}',
            ):
                tab.socket.send(bad)
                assert tab.of("refused")["code"] in ("bad_json", "bad_command", "failed")
            assert tab.ask("rooms")["type"] == "rooms"
        number = "9" * 5_000
        answer = browser.http.get(f"/files/{number}/{'0' * 64}/x")
        assert answer.status_code == 404
        assert browser.http.get(f"/files/1/{'0' * 64}/x", headers={"Range": f"bytes={number}-"}).status_code == 404
    assert "Traceback" not in page.output("stderr")


def test_what_is_said_while_the_broker_is_away_waits_up_to_a_bound(page: Gateway, broker: Broker) -> None:
    """Tabs that come and go say more and more: each has its bound, and so has the person."""
    with Browser(page.url) as browser, contextlib.ExitStack() as stack:
        browser.come_in(nick="gus")
        refused: set[str] = set()
        for number in range(5):
            tab = stack.enter_context(browser.tab(close_timeout=0.1))
            tab.of("hello")
            if not number:
                broker.kill()
            for each in range(63):
                tab.send({"type": "say", "id": each, "room": "general", "text": "x", "once": f"k{number}-{each}"})
            tab.socket.send("[]")  # it is refused at once, after all that came before it
            while (code := tab.of("refused")["code"]) != "bad_json":
                refused.add(code)
        assert refused == {"rate_limited"}
        broker.start()
        with browser.tab() as tab:
            assert tab.ask("rooms")["type"] == "rooms"
