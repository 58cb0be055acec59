"""What somebody wrote, as HTML: Markdown by one library, and what is left of it after a sanitiser, by another one.

No HTML of the author's gets through the first, and the second lets nothing through that is not listed here, should the
first have a hole. There are no images: what a page loads by itself tells its author who reads it. A line break is one.
No tables either: sixteen kilobytes of them become seven hundred. A text with very many marks is shown as it stands, for
it is a log or a trap: the parser takes half a second for some. What is in a fence does not count; where one begins and
ends is told as the parser does it, or a trap would hide in one that is none.

Bare addresses are found by a rule of our own, in one pass. The usual library looks for names of hosts by a pattern that
tries all ways to read one: a hundred characters (`xn--a.xn--a.…`) take it for ever, and with it all whom we carry.
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
NEWLINE = re.compile(r"\r\n?|\n")
FENCE = re.compile(r"`{3,}(?=[^`]*$)|~{3,}")
SCHEME = re.compile(r"(?<![\w.+-])https?$", re.IGNORECASE)
ADDRESS = re.compile(r"://[\w\[][^\s<>`\"\\]{0,2000}")
MARKS = re.compile(r"[\[\]*_`<>&!~@#\\\n]")
LISTED = re.compile(r"(?:[-+*]|[0-9]{1,9}[.)])(?=[ \t]|$)[ \t]*")  # each begins a list, and in it perhaps another one
OF_LINK, OF_ITEM = 4, 3  # as how many marks they count, by how long they take
PLAIN = re.compile(r"[-+=:${}^%]")  # the parser looks at each, and does little
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
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True, "maxNesting": NESTED})
    parser.enable(["strikethrough"]).disable("image")
    parser.inline.ruler.push("address", _address)
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


def _address(state: StateInline, silent: bool) -> bool:
    """Read a bare `https://…`, which has its scheme in what was read already."""
    if state.src[state.pos] != ":" or state.linkLevel or (found := ADDRESS.match(state.src, state.pos)) is None:
        return False
    if (scheme := SCHEME.search(state.pending[-9:])) is None:
        return False
    rest = _without_end(found[0])
    href = state.md.normalizeLink(scheme[0] + rest)
    if not state.md.validateLink(href):
        return False
    if not silent:
        state.pending = state.pending[: -len(scheme[0])]
        state.push("link_open", "a", 1).attrSet("href", href)
        state.push("text", "", 0).content = scheme[0] + rest
        state.push("link_close", "a", -1)
    state.pos += len(rest)
    return True


def _without_end(address: str) -> str:
    """Return an address without what ends the sentence, or the parenthesis, in which it stands."""
    opened = {")": address.count("(") - address.count(")"), "]": address.count("[") - address.count("]")}
    end = len(address)
    while (last := address[end - 1]) in ".,:;!?'*_~" or opened.get(last, 0) < 0:
        if last in opened:
            opened[last] += 1
        end -= 1
    return address[:end]


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


def marks_of(text: str) -> int:
    """Return how many marks a text has outside of fenced code: by that it takes the parser long."""
    fence, marks = "", 0
    for line in NEWLINE.split(text):
        if fence:
            bare = line.rstrip(" \t")
            closes = line[:4].strip(" ") and set(bare.lstrip(" ")) == {fence[0]}
            fence = "" if closes and len(bare.lstrip(" ")) >= len(fence) else fence
        elif (opened := FENCE.match(line)) is not None:
            fence = opened[0]
        else:
            marks += 1 + _of_line(line)
    return marks


def _of_line(line: str) -> int:
    items, at = 0, len(line) - len(line.lstrip(" \t>"))
    while items < NESTED and (found := LISTED.match(line, at)) is not None:
        items, at = items + 1, found.end()
    links = line.count("://") + line.count("](")
    plain = sum(1 for _ in PLAIN.finditer(line)) // 8
    return sum(1 for _ in MARKS.finditer(line)) + OF_LINK * links + OF_ITEM * items + plain


_PARSER: Any = _renderer()


def html(text: str, marks: int | None = None, most: int = MARKS_MAX) -> str:
    """Return what a message says, as HTML that is safe to show; as it stands if it has more than so many marks."""
    if (marks_of(text) if marks is None else marks) > most:
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
