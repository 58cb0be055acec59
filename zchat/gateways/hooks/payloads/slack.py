"""The body that Slack's incoming webhooks take, so that what knows how to post to Slack posts here.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks: `text`, `blocks` (whose text counts instead
of `text`), `attachments`, `username`. Slack writes links as `<address|words>` and three escapes; here they are words,
with the address behind them, as plain text has it.
"""

import re
from collections.abc import Callable

from .sentences import Said
from .value import LOOKED_AT, Value, clean

DEEP = 6  # levels of elements within elements

_SPECIAL = re.compile(r"<([^<>\n]{1,2000})>")
_BOLD = re.compile(r"(?<![\w*`])\*(?=\S)([^*\n`]{1,500})(?<=\S)\*(?![\w*`])")
_STRUCK = re.compile(r"(?<![\w~`])~(?=\S)([^~\n`]{1,500})(?<=\S)~(?![\w~`])")
_CODE = re.compile(r"(```.*?```|`[^`\n]*`)", re.DOTALL)


def read(_event: str, body: Value) -> Said | str | None:
    """Return what a message for Slack says."""
    text = "\n".join(filter(None, map(_block, body.each("blocks")))) or mrkdwn(body.text("text"))
    parts = (text, *map(_attachment, body.each("attachments")))
    return Said("\n".join(filter(None, parts)), body.name("username"))


def plain(_event: str, body: Value) -> Said | str | None:
    """Return a `text` alone: it is Markdown as ours, but for links as Slack has them."""
    return Said(_unescaped(_SPECIAL.sub(_special, body.text("text")[: 4 * LOOKED_AT])), body.name("username"))


def mrkdwn(text: str) -> str:
    """Return Slack's markup as ours."""
    pieces = _CODE.split(text[: 4 * LOOKED_AT])
    return "".join(_unescaped(piece if number % 2 else _styled(piece)) for number, piece in enumerate(pieces))


def _styled(text: str) -> str:
    return _SPECIAL.sub(_special, _STRUCK.sub(r"~~\1~~", _BOLD.sub(r"**\1**", text)))


def _special(found: re.Match[str]) -> str:
    """Return what stands in angle brackets: a link, somebody, a channel, a date."""
    target, _, label = found[1].partition("|")
    if target.startswith("!"):  # `<!here>` calls everybody at Slack, and nobody here
        return label or target[1:].partition("^")[0]
    if target.startswith(("@", "#")):
        return target[0] + (label.lstrip("@#") or target[1:])
    address = target.removeprefix("mailto:")
    if not re.match(r"https?://|mailto:", target):
        return found[0]
    return address if not label or label == address or target.endswith(f"://{label}") else f"{label} ({address})"


def _unescaped(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _text(value: Value) -> str:
    """Return a text object of a block."""
    text = value.text("text")
    return mrkdwn(text) if value.name("type") == "mrkdwn" else text[: 4 * LOOKED_AT]


def _block(block: Value) -> str:
    show = BLOCKS.get(block.name("type"))
    return show(block) if show else ""


def _section(block: Value) -> str:
    return "\n".join(filter(None, (_text(block.at("text")), *map(_text, block.each("fields")))))


def _image(block: Value) -> str:
    return " ".join(filter(None, (block.line("alt_text"), block.link("image_url"))))


def _header(block: Value) -> str:
    title = " ".join(_text(block.at("text")).split())
    return f"**{title}**" if title else ""


def _context(block: Value) -> str:
    shown = (_image(each) if each.name("type") == "image" else _text(each) for each in block.each("elements"))
    return " ".join(filter(None, shown))


def _rich(element: Value, deep: int) -> str:
    """Return the text of elements within elements."""
    kind = element.name("type")
    match kind:
        case "text":
            return element.text("text")
        case "link":
            label, url = element.line("text"), element.link("url")
            return f"{label} ({url})" if label and label != url else url
        case "emoji":
            return f":{element.name('name')}:"
        case "user" | "channel" | "usergroup":
            return element.name(f"{kind}_id")
        case "broadcast":
            return element.name("range")
    mark = "- " if kind == "rich_text_list" else ""
    inner = "".join(mark + _rich(each, deep - 1) for each in element.each("elements")) if deep else ""
    return f"{inner}\n" if kind in ("rich_text_section", "rich_text_preformatted", "rich_text_quote") else inner


BLOCKS: dict[str, Callable[[Value], str]] = {
    "header": _header,
    "section": _section,
    "context": _context,
    "image": _image,
    "rich_text": lambda block: _rich(block, DEEP).strip("\n"),
    "markdown": lambda block: block.text("text"),
}


def _attachment(found: Value) -> str:
    title, link = mrkdwn(found.line("title")), found.link("title_link")
    fields = (
        ": ".join(filter(None, (mrkdwn(field.line("title")), mrkdwn(field.text("value")))))
        for field in found.each("fields")
    )
    blocks = map(_block, found.each("blocks"))
    titled = f"{title} ({link})" if title and link else title or link
    parts = (mrkdwn(found.text("pretext")), titled, mrkdwn(found.text("text")), *fields, *blocks)
    return "\n".join(filter(None, parts)) or mrkdwn(found.text("fallback"))


def zchat(_event: str, body: Value) -> Said | str | None:
    """Return a message of another zchat, as `zchat tail --post` sends it."""
    return Said(clean(body.text("text")), body.name("nick"))
