"""What somebody wrote, as HTML: Markdown by one library, and what is left of it after a sanitiser, by another one.

No HTML of the author's gets through the first, and the second lets nothing through that is not listed here, should the
first have a hole. There are no images: what a page loads by itself tells its author who reads it. A line break is one.
No tables either: sixteen kilobytes of them become seven hundred. A text with very many marks is shown as it stands, for
it is a log or a trap: the parser takes half a second for some.
"""

import re
from collections.abc import Sequence
from html import escape
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

NESTED = 20  # levels of quotes and lists
MARKS_MAX = 1_000  # outside of fenced code
FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
MARKS = re.compile(r"[\[\]*_`<>&!~@\\\n]|://")
MENTION = re.compile(r"@([\w][\w.\-]{0,31})")
TAGS = frozenset(("p", "br", "em", "strong", "s", "a", "code", "pre", "blockquote", "ul", "ol", "li", "hr", "span")) | {
    f"h{level}" for level in range(1, 7)
}
ATTRIBUTES = {
    "a": {"href", "title", "target"},
    "code": {"class"},
    "span": {"class"},
    "ol": {"start"},
    "p": {"dir"},
    "li": {"dir"},
    **{f"h{level}": {"dir"} for level in range(1, 7)},
}
CLASSES = re.compile(r"^(language-[\w+#.-]{1,40}|mention)$")


def _renderer() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "linkify": True, "breaks": True, "maxNesting": NESTED})
    parser.enable(["strikethrough", "linkify"]).disable("image")
    assert parser.linkify is not None  # noqa: S101 — for mypy: the extra has it
    parser.linkify.set({"fuzzy_email": False, "fuzzy_ip": False})
    parser.inline.ruler.push("mention", _mention)
    parser.add_render_rule("link_open", _link_open)
    for tag in ("paragraph_open", "list_item_open", "heading_open"):
        parser.add_render_rule(tag, _with_direction)
    return parser


def _mention(state: StateInline, silent: bool) -> bool:
    """Read `@nick`, where it is no part of an address."""
    if state.src[state.pos] != "@" or (state.pos and (state.src[state.pos - 1].isalnum() or state.linkLevel)):
        return False
    if (found := MENTION.match(state.src, state.pos)) is None:
        return False
    if not silent:
        state.push("mention_open", "span", 1).attrSet("class", "mention")
        state.push("text", "", 0).content = found[0].rstrip(".-")
        state.push("mention_close", "span", -1)
    state.pos += len(found[0].rstrip(".-"))
    return True


def _link_open(self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    tokens[index].attrSet("target", "_blank")
    return self.renderToken(tokens, index, options, env)


def _with_direction(self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    tokens[index].attrSet("dir", "auto")
    return self.renderToken(tokens, index, options, env)


def _attribute(tag: str, name: str, value: str) -> str | None:
    if name == "class":
        return value if CLASSES.match(value) else None
    return value


_PARSER: Any = _renderer()


def html(text: str) -> str:
    """Return what a message says, as HTML that is safe to show."""
    if sum(1 for _ in MARKS.finditer(FENCED.sub("", text))) > MARKS_MAX:
        lines = "<br>\n".join(escape(line) for line in text.split("\n"))
        return f'<p dir="auto">{lines}</p>'
    return nh3.clean(
        _PARSER.render(text),
        tags=set(TAGS),
        attributes=ATTRIBUTES,
        attribute_filter=_attribute,
        url_schemes={"http", "https", "mailto", "zchat"},
        link_rel="noopener noreferrer nofollow",
    ).strip()
