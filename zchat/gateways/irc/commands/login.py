"""CERT: a certificate of the client's that stands for its password from now on. And SASL, which comes too late here."""

from zchat.errors import ZchatError
from zchat.gateways.irc.client import Answer, Client
from zchat.gateways.irc.core.lines import Line, line
from zchat.gateways.irc.core.numerics import SERVER, fail, reply

CERTIFICATE = "certificate"  # the kind of such a login


async def cert(client: Client, got: Line, answer: Answer) -> None:
    """CERT ADD, CERT DEL, CERT LIST."""
    sub = got.params[0].upper() if got.params else "LIST"
    act = _SUBS.get(sub)
    if act is None:
        answer.send(fail("CERT", "INVALID_PARAMS", sub, "Say CERT ADD, CERT DEL or CERT LIST"))
    elif client.carried.person.kind == "guest":
        answer.send(fail("CERT", "NO_ACCOUNT", "You are a guest: log in with a password first"))
    elif sub != "LIST" and client.wire.stream.certificate is None:
        words = "Your client has shown no certificate: connect with TLS and one, and log in with the password once"
        answer.send(fail("CERT", "NO_CERTIFICATE", words))
    else:
        try:
            act(client, answer)
        except ZchatError as error:
            answer.send(fail("CERT", "INTERNAL_ERROR", str(error)))


def _add(client: Client, answer: Answer) -> None:
    shown = client.wire.stream.certificate or ""
    client.gateway.people.logins.add(client.carried.person.id, CERTIFICATE, token_of(shown), shown)
    answer.send(_note(client, f"The certificate {shown} stands for you now: log in with SASL EXTERNAL."))


def _del(client: Client, answer: Answer) -> None:
    shown = client.wire.stream.certificate or ""
    client.gateway.people.logins.forget(token_of(shown))
    answer.send(_note(client, f"The certificate {shown} stands for nobody now."))


def _list(client: Client, answer: Answer) -> None:
    known = [each for each in client.gateway.people.logins.of(client.carried.person.id) if each.kind == CERTIFICATE]
    texts = [f"{each.name} stands for you." for each in known] or ["No certificate stands for you."]
    answer.send(*(_note(client, text) for text in texts))


def _note(client: Client, text: str) -> Line:
    return line(SERVER, "NOTICE", client.me, text)


def token_of(fingerprint: str) -> str:
    """Return what a certificate is as a login. It is prefixed: nobody can give it as a password."""
    return f"\0certificate:{fingerprint}"


async def authenticate(client: Client, got: Line, answer: Answer) -> None:
    """AUTHENTICATE: one is who one is already."""
    answer.send(reply("907", client.me))


_SUBS = {"ADD": _add, "DEL": _del, "LIST": _list}
