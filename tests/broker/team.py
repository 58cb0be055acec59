"""A broker in memory with members: an owner, olga, and whoever comes in by her invitations."""

from typing import Any

from tests.broker.dialogue import Broker, Json, Peer, codes
from zchat.broker.core.entrance import Terms
from zchat.protocol import links

OWN, OTHER = "uid:1000@host", "uid:1001@host"
TERMS = Terms(owners=frozenset({OWN}), login=lambda credential: {OWN: "olga", OTHER: "otto"}[credential])


def key(name: str) -> str:
    return links.key_text(name.encode().ljust(32, b"."))


class Team(Broker):
    """A broker with an owner, olga, and members who come in by her invitations."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**({"terms": TERMS} | settings))
        self.olga = self.come(OWN, device="host")
        self.codes = 0
        self.people: dict[str, str] = {}  # whose `from` a test has noted

    def at(self, credential: str) -> Peer:
        """Return a peer whose connection proves this."""
        peer = self.peer()
        self.credentials[peer.id] = credential
        return peer

    def come(self, credential: str, **fields: Any) -> Peer:
        """Return a peer that has said hello, and whose welcome is in `welcome`."""
        peer = self.at(credential)
        answers = peer.ask("hello", protocol=1, **fields)
        peer.welcome = next(line for line in answers if line["type"] == "welcome")
        return peer

    def invitation(self, by: Peer | None = None, /, **fields: Any) -> str:
        self.codes += 1
        code = links.encode_code(b"%016d" % self.codes)
        answer = do(by or self.olga, "invite", hash=links.invitation_hash(code), **fields)
        assert answer["type"] == "ack", answer
        return code

    def member(self, nick: str, role: str = "member", **fields: Any) -> Peer:
        return self.come(key(nick), nick=nick, device=nick, invite=self.invitation(role=role, **fields))


def do(peer: Peer, type_: str, /, **fields: Any) -> Json:
    """Send the next numbered command; return its answer, with a `code` in any case."""
    answers = command(peer, type_, **fields)
    return {"code": ""} | next(line for line in answers if line["type"] in {"ack", "error"})


def command(peer: Peer, type_: str, /, **fields: Any) -> list[Json]:
    answers = peer.ask(type_, n=peer.n + 1, **fields)
    if any(line.get("n") == peer.n + 1 for line in answers):
        peer.n += 1
    return answers


def who_is(peer: Peer) -> str:
    return str(peer.welcome["from"])


def private(team: Team, *others: Peer) -> Peer:
    """Return who operates the private room +ops, into which these are let."""
    ann = team.member("ann")
    ann.n = 0
    assert do(ann, "access", room="+ops", mode="private")["type"] == "ack"
    for other in others:
        assert do(ann, "access", room="+ops", admit=who_is(other))["type"] == "ack"
        other.read()
    for one in (ann, *others):
        assert "joined" in codes(one.ask("join", room="+ops"))
    for one in (ann, *others):
        one.read()
    return ann
