"""What a client can do beyond plain IRC: the capabilities, how they are negotiated, and which tags each one brings."""

from dataclasses import dataclass, field

from .lines import Line, line

MULTILINE_BYTES, MULTILINE_LINES = 16_384, 400  # what zchat takes as one message; more lines than anybody types

CAPABILITIES: dict[str, str] = {  # by name: the value that CAP LS 302 shows
    "message-tags": "",
    "server-time": "",
    "batch": "",
    "labeled-response": "",
    "echo-message": "",
    "account-tag": "",
    "account-notify": "",
    "away-notify": "",
    "extended-join": "",
    "multi-prefix": "",
    "userhost-in-names": "",
    "invite-notify": "",
    "setname": "",
    "standard-replies": "",
    "no-implicit-names": "",
    "draft/no-implicit-names": "",
    "cap-notify": "",
    "sasl": "PLAIN",
    "draft/chathistory": "",
    "draft/event-playback": "",
    "draft/read-marker": "",
    "draft/multiline": f"max-bytes={MULTILINE_BYTES},max-lines={MULTILINE_LINES}",
    "draft/message-redaction": "",
}

TAGS: dict[str, str] = {  # which capability a client must have for a tag; all others need message-tags
    "time": "server-time",
    "account": "account-tag",
    "batch": "batch",
    "label": "labeled-response",
    "draft/multiline-concat": "draft/multiline",
}

COMMANDS: dict[str, tuple[str, ...]] = {  # what a client is not sent unless it has one of these
    "TAGMSG": ("message-tags",),
    "BATCH": ("batch",),
    "AWAY": ("away-notify",),
    "SETNAME": ("setname",),
    "ACCOUNT": ("account-notify",),
    "MARKREAD": ("draft/read-marker",),
    "REDACT": ("draft/message-redaction",),
    "ACK": ("labeled-response",),
    "CHATHISTORY": ("draft/chathistory",),
}

REPLIES: dict[str, str] = {  # by command: the capability whose own specification has standard replies
    "CHATHISTORY": "draft/chathistory",
    "MARKREAD": "draft/read-marker",
    "REDACT": "draft/message-redaction",
    "BATCH": "draft/multiline",
    "SETNAME": "setname",
}

# A client that asks for one of these shows reactions and answers by their tags. WeeChat takes all tags and shows none.
SHOWS_TAGS = frozenset(("draft/chathistory", "draft/read-marker", "draft/message-redaction"))


def values(*, tls: bool) -> dict[str, str]:
    """Return all capabilities with their values; a certificate can only be shown over TLS."""
    return CAPABILITIES | {"sasl": "PLAIN,EXTERNAL" if tls else "PLAIN"}


@dataclass
class Caps:
    """The capabilities of one client. Registration waits while it negotiates."""

    tls: bool = False
    have: set[str] = field(default_factory=set)
    version: int = 301
    negotiating: bool = False

    def has(self, *names: str) -> bool:
        """Say whether the client has all of these."""
        return self.have.issuperset(names)

    @property
    def shows_tags(self) -> bool:
        """Whether the client shows reactions and answers by their tags."""
        return "message-tags" in self.have and not SHOWS_TAGS.isdisjoint(self.have)

    def knows(self, command: str) -> bool:
        """Say whether the client knows standard replies to this command."""
        return "standard-replies" in self.have or REPLIES.get(command) in self.have

    def takes(self, command: str) -> bool:
        """Say whether the client can be sent this command."""
        return not (needed := COMMANDS.get(command)) or not self.have.isdisjoint(needed)

    def fitting(self, out: Line) -> Line:
        """Return a line with those of its tags that the client can be sent."""
        if not out.tags:
            return out
        tags = {key: value for key, value in out.tags.items() if TAGS.get(key, "message-tags") in self.have}
        return Line(tags, out.source, out.command, out.params)

    def receive(self, source: str, nick: str, params: list[str], registered: bool) -> list[Line]:
        """Return the answers to a CAP command."""
        sub = params[0].upper() if params else ""
        if sub == "END":
            self.negotiating = False
            return []
        if sub not in ("LS", "LIST", "REQ"):
            return [line(source, "410", nick, sub or "*", "There is no such CAP command")]
        if not registered and sub != "LIST":
            self.negotiating = True
        if sub == "REQ":
            return [self._request(source, nick, params[1] if len(params) > 1 else "")]
        return self._listed(source, nick, sub, params)

    def _listed(self, source: str, nick: str, sub: str, params: list[str]) -> list[Line]:
        if sub == "LIST":
            words = sorted(self.have)
        else:
            version = params[1] if len(params) > 1 else ""
            self.version = max(self.version, int(version) if version.isdecimal() and len(version) < 6 else 301)
            if self.version >= 302:
                self.have.add("cap-notify")
            shown = values(tls=self.tls)
            words = [f"{k}={v}" if v and self.version >= 302 else k for k, v in shown.items()]
        return _packed(source, nick, sub, words, several=self.version >= 302)

    def _request(self, source: str, nick: str, asked: str) -> Line:
        """Take what is asked for, or nothing of it."""
        words = asked.split()
        names = [word.removeprefix("-") for word in words]
        if not all(name in CAPABILITIES for name in names) or ("-cap-notify" in words and self.version >= 302):
            return line(source, "CAP", nick, "NAK", asked)
        for word, name in zip(words, names, strict=True):
            (self.have.discard if word.startswith("-") else self.have.add)(name)
        return line(source, "CAP", nick, "ACK", asked)


def _packed(source: str, nick: str, sub: str, words: list[str], *, several: bool) -> list[Line]:
    """Return words as lines of CAP, each but the last marked with a star."""
    rows: list[str] = [""]
    for word in words:
        if several and len(rows[-1]) + len(word) > 380:
            rows.append("")
        rows[-1] = f"{rows[-1]} {word}".strip()
    more = [line(source, "CAP", nick, sub, "*", row) for row in rows[:-1]]
    return [*more, line(source, "CAP", nick, sub, rows[-1])]
