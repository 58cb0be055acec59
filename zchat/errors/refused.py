"""The broker said no, to what was asked or to a session as a whole: the protocol's code as a sentence."""

from .base import ZchatError

_WHAT_TO_DO = {  # by the protocol's error code
    "not_member": "Ask somebody who is in for an invitation (they run `zchat invite`), and join with its link.",
    "banned": "Ask a moderator or an owner of this chat to let you in again.",
}
_ENDS = {
    "replaced": "this client has connected again from elsewhere",
    "kick": "you were sent away",  # also by the broker: for a flood, or because the device was removed
    "banned": "{by} keeps you out from now on",
}
_THEN = {
    "kick": "Start again to come back, if you still may.",
    "banned": "Whoever moderates there can let you in again.",
}


class RefusedError(ZchatError):
    """The broker's answer was an `error`: `code` is the protocol's, `message` the broker's sentence.

    `plain` is that sentence with what to do, without the code.
    """

    def __init__(self, code: str, message: str) -> None:
        self.code, self.message = code, message
        what_to_do = _WHAT_TO_DO.get(code)
        self.plain = f"{message.rstrip('.')}. {what_to_do}" if what_to_do else message
        super().__init__(f"The broker refused ({code}): {self.plain}")


class NickTakenError(RefusedError):
    """Somebody else has the nick, or one that looks like it."""

    def __init__(self, nick: str, message: str = "") -> None:
        self.nick = nick
        super().__init__("nick_taken", message)
        why = message[:1].upper() + message[1:] if message else f"The nick {nick} is taken"
        self.args = (f"{why}. Choose another (--nick, at the prompt /nick), or wait.",)


class SessionEndedError(RefusedError):
    """The broker has ended this session, and wants it to stay away (`replaced`, `kick`, `banned`).

    `by` is the nick of the moderator who did, `text` what they said of it.
    """

    def __init__(self, reason: str, text: str | None = None, by: str | None = None) -> None:
        self.text, self.by = text, by
        super().__init__(reason, text or "the session is over")
        pattern = "{by} has sent you away" if reason == "kick" and by else _ENDS.get(reason, reason)
        why = pattern.replace("{by}", by or "a moderator") + (f" ({text.rstrip('.')})" if text else "")
        then = _THEN.get(reason, "Start again to come back.")
        self.args = (f"The broker has ended this session: {why}. {then}",)


class KeyRefusedError(RefusedError):
    """The broker at `endpoint` does not let this device's key in, over `ipc` this user, not even to ask."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        super().__init__("key_refused", "the key of this device is not let in")
        if endpoint.startswith("ipc:"):
            why = f"The broker at {endpoint} does not let your user in (any more): it was removed, or it is banned."
            self.args = (f"{why} Ask a moderator or an owner of this chat.",)
            return
        self.args = (
            f"The broker at {endpoint} does not let the key of this device in (any more): it was removed, or it is "
            "banned. Ask a moderator or an owner of this chat, or add this device anew from another one of yours.",
        )


class SignedOutError(RefusedError):
    """A gateway carries this person no more: their device there was removed, or they have left it."""

    def __init__(self, why: str = "you are not signed in here (any more)") -> None:
        super().__init__("signed_out", why)
        self.args = (f"{why[:1].upper()}{why[1:]}. Come in with a new link.",)
