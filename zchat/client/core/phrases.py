"""What to call a numbered command where people read of it: what was said, or a few words for what was asked.

A command may be refused, or be lost with its log, long after it was sent. Whoever sent it then reads which one it was.
"""

from zchat.protocol import messages as m

from .named import NOWHERE, names_nothing

_PHRASES: dict[type[m.Command], str] = {
    m.MarkRead: "marking as read",
    m.Unschedule: "taking back {id}",
    m.Invite: "invitation {hash:.8}",
    m.Revoke: "revoking invitation {hash:.8}",
    m.SetRole: "role of {from_}: {role}",
    m.RemoveCredential: "removing {remove} from {from_}",
    m.Ban: "ban of {who}",
    m.Unban: "unban of {who}",
    m.Mute: "mute of {from_}",
    m.Unmute: "unmute of {from_}",
}
_ACCESS = {"mode": "room mode: {}", "admit": "admitting {}", "expel": "expelling {}", "operator": "operator: {}"}


def phrase(command: m.NumberedCommand) -> str:
    """Return the text that a command says, or a short phrase for what it asks: `role of 9f86d081884c7d65: owner`."""
    if (kind := m.BY_COMMAND.get(type(command))) is not None:
        said = kind.phrase(command)
        return said.replace(f"{NOWHERE}", "what is gone", 1) if names_nothing(command) else said
    if isinstance(command, m.SetAccess):
        told = [text.format(value) for name, text in _ACCESS.items() if (value := getattr(command, name)) is not None]
        return ", ".join(told) or "room access"
    fields = {name: getattr(command, name) for name in command.__struct_fields__}
    who = fields.get("from_") or fields.get("credential")
    return _PHRASES[type(command)].format(**fields, who=who)


def place(command: m.NumberedCommand) -> str:
    """Return where a command belongs: `#dev`, `@bob`, or "" where it is about no room and no conversation."""
    if (room := getattr(command, "room", None)) is not None:
        return f"#{room}"
    to = getattr(command, "to", None)
    return "" if to is None else f"@{to}"
