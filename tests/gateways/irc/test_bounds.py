"""What a client must not be able to do, and TLS: bounds of lines, of connections, of what is not read; certificates."""

import asyncio
import socket
import ssl
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.client.real import PATIENCE, Watcher, on_loop, serving, until
from tests.gateways.irc.process import certificate
from tests.gateways.irc.raw import ALL, House, Irc, gateway, house, plain, texts
from zchat.client.addresses import resolve
from zchat.client.known_brokers import KnownBrokers
from zchat.gateways.irc import connection, door, wire
from zchat.gateways.irc.client import Answer, Client
from zchat.gateways.irc.commands import COMMANDS
from zchat.gateways.irc.core.lines import Line, parse
from zchat.gateways.irc.gateway import Listening
from zchat.gateways.irc.tls import BadCertificateError, context_of
from zchat.gateways.rates import Rate


async def by_tls(where: House, port: int, shown: tuple[Path, Path] | None = None) -> Irc:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if shown:
        context.load_cert_chain(*shown)
    return where.keep(Irc(*await asyncio.open_connection("127.0.0.1", port, ssl=context, limit=2**22)))


@on_loop
async def test_a_certificate_stands_for_a_member_once_they_have_said_so(tmp_path: Path) -> None:
    async with house(tmp_path, keyed=True) as where, where.member("olga", where.owner_code) as olga:
        word = (await olga.administration.invite(self_=True)).code
        mine, other = certificate(tmp_path, "mine"), certificate(tmp_path, "other")
        port = await where.gateway.listen(Listening("127.0.0.1", 0, context_of(*certificate(tmp_path, "server"))))

        async def external(shown: tuple[Path, Path] | None) -> list[str]:
            irc = await by_tls(where, port, shown)
            irc.send("CAP LS 302", "CAP REQ :sasl", "NICK me", "USER me 0 * :me", "AUTHENTICATE EXTERNAL")
            await irc.until("AUTHENTICATE", "+")
            irc.send("AUTHENTICATE +", "PING x")
            await irc.until("PONG")
            return [line.command for line in irc.seen if line.command in ("900", "903", "904")]

        assert await external(mine) == await external(None) == ["904"]
        irc = await by_tls(where, port, mine)
        irc.send("CAP REQ :sasl", "NICK me", "USER me 0 * :me", "AUTHENTICATE PLAIN")
        irc.send(f"AUTHENTICATE {plain('me', word)}", "CAP END")
        assert (await irc.until("001")).params[0] == "olga"
        irc.send("CERT ADD", "PRIVMSG olga :" + "x" * 400)
        assert (
            "stands for you now"
            in (await irc.until("NOTICE", where=lambda line: "stands" in line.params[-1])).params[-1]
        )
        assert (await irc.until("PRIVMSG")).params[-1] == "x" * 400
        assert (await external(mine), await external(other)) == (["900", "903"], ["904"])
        await irc.ask("CERT DEL")
        assert await external(mine) == ["904"]


def test_a_certificate_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_text("nonsense")
    with pytest.raises(BadCertificateError, match="cannot be used"):
        context_of(tmp_path / "x.pem", tmp_path / "x.pem")
    with pytest.raises(BadCertificateError, match="cannot be used"):
        context_of(certificate(tmp_path, "a")[0], certificate(tmp_path, "b")[1])


@on_loop
async def test_without_a_password_nobody_comes_in_where_there_are_no_guests(tmp_path: Path) -> None:
    async with house(tmp_path, keyed=True) as where:
        stranger = await where.connect()
        stranger.send("NICK x", "USER x 0 * :x")
        assert "zchat irc password" in await stranger.ended()
        wrong = await where.connect()
        wrong.send("PASS nonsense", "NICK x", "USER x 0 * :x")
        assert (await wrong.until("464")).params[0] == "x"
        await wrong.ended()
        guesser = await where.connect()
        guesser.send("CAP REQ :sasl", "NICK x", "USER x 0 * :x")
        for _ in range(6):
            guesser.send("AUTHENTICATE PLAIN", f"AUTHENTICATE {plain('x', 'y' * 29)}")
        await guesser.ended()
        assert sum(line.command == "904" for line in guesser.seen) == 6


@on_loop
async def test_codes_are_tried_so_often_from_an_address_and_passwords_as_one_likes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "is_loopback", lambda address: False)
    monkeypatch.setattr(door, "TRIES", Rate(3, 0.001))
    async with house(tmp_path, keyed=True) as where, where.member("olga", where.owner_code) as olga:
        word = (await olga.administration.invite(self_=True)).code
        for _ in range(5):
            await where.irc("olga", "", word)
        told = []
        for _ in range(3):
            guesser = await where.connect()
            guesser.send(f"PASS {'y' * 29}", "NICK x", "USER x 0 * :x")
            told.append((await guesser.until("464")).params[-1])
        assert ["too many tries" in each for each in told] == [False, False, True]


@on_loop
async def test_who_runs_it_comes_in_by_the_same_code_again_and_again(tmp_path: Path) -> None:
    with TemporaryDirectory() as short:
        async with serving([f"ipc://{short}/zchat.sock"], None, data=tmp_path / "broker") as server:
            where = resolve(server.listen)
            found = House(server, where, tmp_path)
            async with gateway(found, where) as made:
                code = made.people.own_code() or ""
                mine = [await found.irc("me", "", code) for _ in range(2)]
                assert [each.password for each in mine] == ["", ""]
                assert len({each.me for each in made.clients}) == 1
                stranger = await found.connect()
                stranger.send(f"PASS {code[:-1]}", "NICK me", "USER x 0 * :x")
                await stranger.until("464")


@on_loop
async def test_an_invitation_for_several_is_the_password_of_none_of_them(tmp_path: Path) -> None:
    async with house(tmp_path, keyed=True) as where, where.member("olga", where.owner_code) as olga:
        code = (await olga.administration.invite(uses=2)).code
        max_, eve = [await where.irc(nick, "", code) for nick in ("max", "eve")]
        assert [each.me for each in where.gateway.clients] == ["max", "eve"]
        third = await where.connect()
        third.send(f"PASS {code}", "NICK tim", "USER x 0 * :x")
        assert "used up" in (await third.until("464")).params[-1]
        assert "used up" in await third.ended()
        again = await where.irc("x", "", eve.password)
        assert again.seen[-1].params[0] == "eve"
        again.send("PRIVMSG *zchat :password")
        told = await again.until("PRIVMSG", where=lambda line: "another client" in line.params[-1].lower())
        other = await where.irc("y", "", told.params[-1].rpartition(" ")[2])
        assert other.seen[-1].params[0] == "eve"
        assert max_.password != eve.password


@on_loop
async def test_who_keeps_the_code_of_an_invitation_for_a_password_does_not_become_another_member(
    tmp_path: Path,
) -> None:
    async with house(tmp_path, keyed=True) as where, where.member("olga", where.owner_code) as olga:
        code = (await olga.administration.invite(uses=9)).code
        max_ = await where.irc("max", "", code)
        [told, _] = [line for line in max_.seen if line.command == "PRIVMSG"]
        assert (told.source, told.params) == (
            "*zchat!zchat@irc.zchat",
            ["max", f"Your password from now on is {max_.password}"],
        )
        await max_.close()
        again = await where.connect()
        again.send("CAP REQ :sasl", "NICK Max", "USER x 0 * :x", "AUTHENTICATE PLAIN")
        again.send(f"AUTHENTICATE {plain('max', code)}")
        assert "came in by this invitation already, and was told a password" in (await again.until("904")).params[-1]
        by_pass = await where.connect()
        by_pass.send(f"PASS {code}", "NICK max", "USER x 0 * :x")
        assert "came in by this invitation already" in (await by_pass.until("464")).params[-1]
        assert {each.nick for each in await olga.administration.members()} == {"olga", "max"}
        assert (await where.irc("eve", "", code)).password  # for others it is still good
        await where.irc("x", "", max_.password)
        assert {each.me for each in where.gateway.clients} == {"eve", "max"}


@on_loop
async def test_a_new_member_whose_nick_is_taken_takes_another_one(tmp_path: Path) -> None:
    async with house(tmp_path, keyed=True) as where, where.member("olga", where.owner_code) as olga:
        code = (await olga.administration.invite(uses=2)).code
        first, second, storm = [await where.connect() for _ in range(3)]
        first.send(f"PASS {code}", "NICK olga", "USER x 0 * :x")
        assert (await first.until("433")).params[:2] == ["*", "olga"]
        first.send("NICK olga_")
        assert (await first.until("001")).params[0] == "olga_"
        second.send("CAP REQ :sasl", "NICK olga", "USER x 0 * :x", "AUTHENTICATE PLAIN")
        second.send(f"AUTHENTICATE {plain('olga', code)}")
        await second.until("433")
        second.send("NICK olga__")
        await second.until("903")
        second.send("CAP END")
        assert (await second.until("001")).params[0] == "olga__"
        code = (await olga.administration.invite()).code
        storm.send(f"PASS {code}", "USER x 0 * :x", *["NICK olga"] * 40)
        assert await storm.ended() == "Closing link: too many nicks were tried"
        assert [line.command for line in storm.seen].count("433") == 10


@on_loop
async def test_an_invitation_that_was_tried_in_vain_is_no_password_either(tmp_path: Path) -> None:
    async with house(tmp_path, keyed=True) as where, where.member("olga", where.owner_code) as olga:
        code = (await olga.administration.invite(uses=2)).code
        file = tmp_path / "gateway" / "logins.json"
        file.mkdir()  # so that the login cannot be written down, after the broker has let them in
        vain = await where.connect()
        vain.send(f"PASS {code}", "NICK max", "USER x 0 * :x")
        await vain.ended()
        file.rmdir()
        max_ = await where.irc("max", "", code)
        assert max_.password
        assert where.gateway.people.logins.find(code) is None


@on_loop
async def test_a_line_that_is_too_long_or_no_text_is_refused_and_the_next_is_taken(tmp_path: Path) -> None:
    async with house(tmp_path) as where:
        alice = await where.irc("alice", ALL)
        await alice.ask("JOIN #dev")
        alice.send_bytes(b"PRIVMSG #dev :" + b"x" * 2**20 + b"\r\n")
        alice.send_bytes(b"PRIVMSG #dev :\xff\xfe\r\n" + b"PRIVMSG #dev :" + b"y" * 600 + b"\r\n" + b"\0\r\n:x\r\n")
        alice.send("PRIVMSG #dev :fine")
        await alice.until("PRIVMSG", "fine")
        told = [line.params[:2] for line in alice.seen if line.command in ("417", "FAIL")]
        assert told == [["alice", "Input line was too long"], ["PRIVMSG", "INVALID_UTF8"], told[0]]
        assert texts(alice.seen) == ["fine"]


@on_loop
async def test_who_does_not_read_is_cut_and_nobody_else_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "STUCK", 0.2)
    async with house(tmp_path) as where, where.terminal("carl", rooms=["dev"]) as carl:
        deaf = where.keep(Irc(*await asyncio.open_connection("127.0.0.1", where.port, limit=1024)))
        deaf.send("NICK deaf", "USER deaf 0 * :deaf", "JOIN #dev")
        bob = await where.irc("bob")
        await bob.ask("JOIN #dev")
        await until(lambda: "deaf" in carl.members("dev"))
        for at in range(600):
            await carl.say(f"{at} " + "x" * 15_000, room="dev")
            while (await bob.until("PRIVMSG")).params[-1].split()[0] != str(at):
                pass
            if "deaf" not in {each.me for each in where.gateway.clients}:
                break
        await until(lambda: [each.me for each in where.gateway.clients] == ["bob"])


@on_loop
async def test_who_is_not_in_gives_way_and_who_is_in_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "CONNECTIONS", 2)
    async with house(tmp_path) as where:
        alice = await where.irc("alice")
        silent = [await where.connect() for _ in range(5)]
        await where.irc("bob")
        assert [await each.ended() for each in silent] == [""] * 5
        third = await where.connect()
        assert "too many connections" in await third.ended()
        assert texts(await alice.ask()) == []


@on_loop
async def test_who_takes_nothing_is_gone_after_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a client was sent last waits for it, but not for ever: its place is needed."""
    monkeypatch.setattr(connection, "REGISTERING", 0.2)
    monkeypatch.setattr(connection, "WATCH", 0.02)
    monkeypatch.setattr(wire, "LINGER", 0.2)
    async with house(tmp_path) as where:
        for server in where.gateway._servers:
            server.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        deaf.connect(("127.0.0.1", where.port))
        deaf.sendall(b"".join([b"PING " + b"x" * 480 + b"\r\n"] * 80))
        await until(lambda: where.gateway.unknown == 1)
        await until(lambda: where.gateway.unknown == 0)
        deaf.close()


@on_loop
async def test_who_is_silent_is_asked_and_then_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "WATCH", 0.02)
    async with house(tmp_path) as where:
        alice = await where.irc("alice")
        monkeypatch.setattr(connection, "SILENT", 0.05)
        monkeypatch.setattr(connection, "ANSWERING", 1.5)
        await alice.until("PING")
        assert await alice.ended() == "Closing link: ping timeout"


@on_loop
async def test_who_has_gone_is_not_answered_and_what_they_said_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = COMMANDS["WHO"]

    async def who(client: Client, got: Line, answer: Answer) -> None:
        asked.append(client.me)
        await real[0](client, got, answer)

    monkeypatch.setitem(COMMANDS, "WHO", (who, real[1]))
    monkeypatch.setattr(connection, "LINES", Rate(10, 50))
    async with house(tmp_path) as where, where.terminal("carl", rooms=["dev"]) as carl:
        watch = Watcher(carl)
        bob = await where.irc("bob")
        await bob.ask("JOIN #dev", "WHO #dev")
        bob.send(*["PING x"] * 20, *["WHO #dev"] * 5, "PRIVMSG #dev :the last words")
        await bob.until("PONG")  # all of it was read by now, and is carried out slowly
        bob._writer.transport.abort()
        await until(lambda: watch.texts() == ["the last words"])
        assert asked == ["bob"]
        await carl.close()
        await watch.end()


def test_to_ask_for_much_of_the_past_counts_for_more() -> None:
    costs = [connection.cost(parse(f"{asked}".encode())) for asked in ("WHO 500", "CHATHISTORY LATEST #a * 500")]
    assert costs == [1.0, 6.0]
    odd = [connection.cost(parse(f"CHATHISTORY{rest}".encode())) for rest in ("", " x", " LATEST #a * 99999999999")]
    assert odd == [1.0, 1.0, 1.0]


@on_loop
async def test_whoever_reads_is_not_cut_for_how_much_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text of many lines, and a long history: each is more than may wait for who does not read."""
    monkeypatch.setattr(wire, "UNREAD_MAX", 2**17)
    async with house(tmp_path) as where, where.terminal("carl", rooms=["dev"]) as carl:
        for server in where.gateway._servers:  # as over a network little is on its way at once
            server.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        bob = await where.connect()
        bob.send(
            "CAP REQ :message-tags batch labeled-response draft/chathistory", "NICK bob", "USER b 0 * :b", "CAP END"
        )
        await bob.ask("JOIN #dev")
        await carl.say("a\n" * 8_000 + "end", room="dev")
        await bob.until("PRIVMSG", "end")
        for at in range(40):
            await carl.say(f"{at} " + "x" * 15_000, room="dev")
        await bob.until("PRIVMSG", where=lambda line: line.params[-1].startswith("39 "))
        for label in ("", "@label=l "):
            said = texts(await bob.ask(f"{label}CHATHISTORY LATEST #dev * 40"))
            assert sum(map(len, said)) > 40 * 15_000


@on_loop
async def test_while_the_broker_is_away_a_question_holds_up_what_comes_after_it_for_a_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "AWAY", 0.2)
    async with AsyncExitStack() as longer:
        async with serving(["tcp://127.0.0.1:0"], None, heartbeat=0.05, grace=1.0) as server:
            address = resolve(server.listen, (KnownBrokers(tmp_path / "brokers.toml"),))
            where = House(server, address, tmp_path)
            await longer.enter_async_context(gateway(where, address))
            alice = await where.irc("alice")
            await alice.ask("JOIN #dev")
        await until(lambda: not where.gateway.clients[0].carried.person.client.online)
        async with asyncio.timeout(PATIENCE / 2):
            told = await alice.ask("WHOIS bob")
        assert [line.params[1] for line in told if line.command == "263"] == ["WHOIS"]
