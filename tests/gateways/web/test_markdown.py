"""Markdown as HTML: what is made of it, and what never gets through."""

import asyncio
import functools
import time
from collections.abc import Callable, Coroutine
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from zchat.client.core.mentions import mentions
from zchat.gateways.web.markdown import MARKS_MAX, html
from zchat.gateways.web.rendering import Rendering
from zchat.protocol import messages as m


class Found(HTMLParser):
    """The tags and attributes that a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name: value or "" for name, value in attrs}


REL = 'target="_blank" rel="noopener noreferrer nofollow"'


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("a **b** *c* ~~d~~ `e`", "a <strong>b</strong> <em>c</em> <s>d</s> <code>e</code>"),
        ("one\ntwo", "one<br>\ntwo"),
        ("see https://e.org/a_b_c.", f'see <a href="https://e.org/a_b_c" {REL}>https://e.org/a_b_c</a>.'),
        (
            "(HTTP://e.org/(x)/__init__.py)",
            f'(<a href="HTTP://e.org/(x)/__init__.py" {REL}>HTTP://e.org/(x)/__init__.py</a>)',
        ),
        ("xhttps://e.org ftp://e.org https:// x://y", "xhttps://e.org ftp://e.org https:// x://y"),
        ("**https://e.org**!", f'<strong><a href="https://e.org" {REL}>https://e.org</a></strong>!'),
        ("[here](https://e.org)", f'<a href="https://e.org" {REL}>here</a>'),
        ("@bob, @al-ice. a@b", '<span class="mention">@bob</span>, <span class="mention">@al-ice</span>. a@b'),
        ("1 < 2 & 3", "1 &lt; 2 &amp; 3"),
        ("|a|b|", "|a|b|"),
    ],
)
def test_what_people_write_is_shown_as_they_mean_it(text: str, made: str) -> None:
    assert html(text) == f'<p dir="auto">{made}</p>'


def test_code_says_its_language_and_lists_and_quotes_their_direction() -> None:
    assert html("```python\nx < 1\n```") == '<pre><code class="language-python">x &lt; 1\n</code></pre>'
    assert html('```x" onclick="y\n1\n```') == "<pre><code>1\n</code></pre>"
    assert html("- א\n> b") == ('<ul>\n<li dir="auto">א</li>\n</ul>\n<blockquote>\n<p dir="auto">b</p>\n</blockquote>')
    assert html("# big") == '<h1 dir="auto">big</h1>'


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<b onclick=x>hi</b>", "<!-- x -->",
        "[x](javascript:alert(1))", "[x](JaVaScRiPt:alert(1))", "[x](data:text/html,<script>)", "[x](vbscript:x)",
        "![x](https://e.org/pixel.png)", '[x](https://e.org "\\" onmouseover=\\"x")', "<https://e.org/\"onclick=\"x>",
        "<javascript:alert(1)>", "`<script>`", "```\n<script>\n```", "[<img src=x>](https://e.org)", "&lt;script&gt;",
        "[x]: javascript:x\n\n[x]", "<style>*{display:none}</style>", "<iframe src=//e.org>", "\x00<script>",
    ],
)  # fmt: skip
def test_nothing_of_the_authors_gets_into_the_page(text: str) -> None:
    found = Found()
    found.feed(html(text))
    assert found.tags <= {"p", "a", "code", "pre", "br"}
    assert set(found.attributes) <= {"dir", "href", "target", "rel", "title"}
    assert found.attributes.get("href", "https://e.org").startswith("https://e.org")


def test_what_is_full_of_marks_is_shown_as_it_stands_and_nothing_takes_long() -> None:
    log = "\n".join(f"[{number}] *x* <y>" for number in range(MARKS_MAX))
    assert html(log).startswith('<p dir="auto">[0] *x* &lt;y&gt;<br>\n[1]')
    fenced = f"```\n{log}\n```"
    assert html(fenced).startswith("<pre><code>[0] *x* &lt;y&gt;\n[1]")
    for text in ("[" * 999, "**a " * 499, "![[]()" * 160, "http://a " * 300, "@a" * 999, "a.a" * 5461, "> " * 8192):
        begun = time.process_time()
        assert len(html(text)) < 20 * len(text) + 100
        assert time.process_time() - begun < 1  # 0.1 s on a slow machine


@pytest.mark.parametrize("of", ["http://a ", "https://a.b/c?d=e ", "- - - a\n", "1. a\n", "[a](b) "])
def test_what_takes_the_parser_longer_counts_for_more(of: str) -> None:
    assert "<" not in html(of * 900).removeprefix('<p dir="auto">').removesuffix("</p>").replace("<br>", "")
    assert html("- [ ] see https://example.org/a (and `b`)\n" * 50).count("<a ") == 50


@pytest.mark.parametrize(
    "begin", ["", "```a`\n", "````\n```\n````\n", "~~~\n```\n~~~\n", "- a\n  ```\n", "```\n   ```\n", "```\r```\r"]
)
@pytest.mark.parametrize("of", ["[", "ftp://a", "http://a.b/[", "http://a.b/(", "xn--a.", "https://xn--a.", "a@b."])
def test_no_trap_hides_in_what_is_no_fence_and_no_host_takes_for_ever(begin: str, of: str) -> None:
    begun = time.process_time()
    html(f"{begin}{of * 500}\n```")  # some took for ever
    assert time.process_time() - begun < 1
    if of == "[":
        many = html(f"{begin}{of * 2_000}\n```")
        assert "<pre>" not in many


def in_a_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test in a loop of its own."""
    return functools.wraps(test)(lambda: asyncio.run(test()))


def line_of(text: str, seq: int = 1, from_: str = "mallory") -> bytes:
    return msgspec.json.encode({"type": "message", "seq": seq, "from": from_, "text": text})


async def rendered(rendering: Rendering, *lines: bytes) -> list[bytes]:
    return await rendering.events([(None, line) for line in lines])


@in_a_loop
async def test_a_line_is_rendered_once_and_keeps_all_that_is_in_it() -> None:
    rendering = Rendering(kept=10_000)
    line = b'{"type":"message","seq":1,"text":"**hi** \\"you\\"","new":[1]}'
    (made,) = await rendered(rendering, line)
    assert made.startswith(line[:-1])
    assert msgspec.json.decode(made)["html"] == '<p dir="auto"><strong>hi</strong> "you"</p>'
    assert (await rendered(rendering, bytes(line)))[0] is made
    await rendered(rendering, *(b'{"type":"edit","seq":%d,"text":"x"}' % number for number in range(200)))
    assert (await rendered(rendering, line))[0] is not made  # it was forgotten
    others = [b'{"type":"topic","seq":2,"text":"**x**"}', b'{"type":"joined","room":"a"}', b'{"type":"message"}']
    assert await rendered(rendering, *others) == others


@in_a_loop
async def test_others_have_their_turn_while_much_is_rendered() -> None:
    rendering, turns = Rendering(), [asyncio.Lock() for _ in range(10)]
    pages = [
        m.History(
            events=tuple(Raw(line_of("@bob " * 990, 200 * page + number)) for number in range(20)), upto=1, more=False
        )
        for page in range(10)
    ]
    asked = [asyncio.create_task(rendering.reply(page, turn)) for page, turn in zip(pages, turns, strict=True)]
    await asyncio.sleep(0)
    for number in range(20):  # each of them past all that waits
        await rendered(rendering, line_of("hello", 10_000 + number))
    assert not any(task.done() for task in asked)
    for task in asked:
        task.cancel()
    await asyncio.gather(*asked, return_exceptions=True)


@in_a_loop
async def test_of_one_author_only_so_many_new_texts_full_of_marks_are_rendered() -> None:
    rendering, text = Rendering(), "@bob " * 150
    made = await rendered(rendering, *(line_of(text, number) for number in range(20)), line_of(text, 21, "alice"))
    shown = ["mention" in msgspec.json.decode(each)["html"] for each in made]
    assert shown[:10] == [True] * 10
    assert not all(shown[:20])
    assert shown[20]
    page = m.History(events=tuple(Raw(line_of(text, number)) for number in range(100, 120)), upto=1, more=False)
    old = bytes(await rendering.reply(page, asyncio.Lock()))
    assert old.count(b"mention") == 20 * 150, "what is old is"


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("bob?", True), ("@bob", True), ("hi BOB!", True), ("bob's", True), ("bobby", False), ("a.bob", False),
        ("bob-2", False), ("x@bob", False), ("", False), ("b o b", False), ("(bob)", True),
    ],
)  # fmt: skip
def test_a_nick_calls_as_a_whole_word(text: str, calls: bool) -> None:
    assert mentions(text, "bob") is calls
    assert not mentions(text, "")
