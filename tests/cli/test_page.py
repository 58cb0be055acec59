"""An export as a page: what people wrote is text there, and nothing that a browser would run or fetch."""

from datetime import datetime
from html.parser import HTMLParser

from hypothesis import example, given
from hypothesis import strategies as st

from zchat.cli import page
from zchat.protocol import messages as m

ALLOWED = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "h1",
        "h2",
        "h3",
        "ul",
        "li",
        "a",
        "section",
        "article",
        "time",
    ),
    *("b", "bdi", "span", "div", "small", "details", "summary", "p"),
}
NASTY = (
    "<script>alert(1)</script>",
    "'\"><img src=x onerror=alert(1)>",
    "https://x/'onmouseover='alert(1)",
    'https://x/"onmouseover="alert(1)',
    "javascript:alert(1)",
    "</style><script>",
    "\u202egpj.exe",
    "\x00\x1b[2J",
    "\ud800",
    "&lt;b&gt; &amp;",
)
anything = st.one_of(st.sampled_from(NASTY), st.text(max_size=60))


class Reader(HTMLParser):
    """Reads a page as a browser would: its elements with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def message(seq: int, text: str, nick: str = "alice", **fields: object) -> m.Message:
    known = {"prev": 0, "room": "dev", "time": "2026-11-22T05:30:00Z", "from_": "a" * 16, "kind": "message"}
    return m.Message(**{**known, "seq": seq, "text": text, "nick": nick, **fields})  # type: ignore[arg-type]


def made(*events: m.Event, room: str = "dev", files: dict[str, str] | None = None) -> str:
    picture: m.Picture = {}
    for event in events:
        m.fold(picture, event)
    return page.head("zchat", [room]) + "".join(page.room(0, room, picture, files or {})) + page.foot()


@given(anything, anything, anything, anything)
@example(NASTY[0], NASTY[1], NASTY[2], NASTY[3])
def test_what_people_wrote_is_never_more_than_text(text: str, nick: str, name: str, emoji: str) -> None:
    stamp = {"prev": 0, "room": "dev", "time": "2026-11-22T05:31:00Z", "from_": "b" * 16, "nick": nick}
    one = m.Attachment(file="f" * 64, name=name or "x", size=3)
    shown = made(
        message(1, text, nick, files=(one,)),
        message(2, text, nick, reply_to=1, thread=1, kind="action"),
        m.Topic(seq=3, text=text, **stamp),  # type: ignore[arg-type]
        m.Reacted(seq=4, target=1, emoji=emoji or "x", **stamp),  # type: ignore[arg-type]
        room=name,
        files={"f" * 64: "files/" + "f" * 12 + "-x"},
    )
    for tag, attributes in Reader(shown.encode(errors="replace").decode()).tags:
        assert tag in ALLOWED
        assert not [each for each in attributes if each.startswith("on") or each in {"src", "srcdoc"}]
        if tag == "a":
            assert str(attributes["href"]).startswith(("#", "http://", "https://", "files/"))
    assert shown.count("<style>") == 1
    assert "\u202e" not in shown


def test_a_page_tells_what_became_of_messages() -> None:
    stamp = {"prev": 0, "room": "dev", "time": "2026-11-22T05:31:00Z", "from_": "a" * 16, "nick": "alice"}
    shown = made(
        message(1, "helo <all>, see https://example.org/x?a=1&b=2"),
        message(2, "hush"),
        message(3, "right", "bob", reply_to=1, thread=1),
        m.Edited(seq=4, target=1, text="hello <all>, see https://example.org/x?a=1&b=2", **stamp),  # type: ignore[arg-type]
        m.Deleted(seq=5, target=2, by="a" * 16, **stamp),  # type: ignore[arg-type]
        m.Reacted(seq=6, target=1, emoji="👍", **stamp),  # type: ignore[arg-type]
        m.Pinned(seq=7, target=1, **stamp),  # type: ignore[arg-type]
    )
    text = Reader(shown).text
    for wanted in ("hello <all>, see", "edited 2026-11-22", "📌 pinned", "👍 1", "↳ 1 answer", "bob: right", "deleted"):
        assert wanted in text
    for gone in ("helo", "hush"):
        assert gone not in shown
    assert shown.count('class="pinned"') == 1
    links = [attributes["href"] for tag, attributes in Reader(shown).tags if tag == "a"]
    assert links == ["#room0", "https://example.org/x?a=1&b=2", "#m3", "#m1"]


def test_a_page_has_days_topics_deeds_and_what_stays_of_the_deleted() -> None:
    stamp = {"prev": 0, "room": "dev", "time": "2026-11-23T12:00:00Z", "from_": "b" * 16, "nick": "bob"}
    shown = made(
        message(1, "root", time="2026-11-22T12:00:00Z"),
        message(2, "waves", kind="action", time="2026-11-22T12:01:00Z"),
        message(3, "x" * 100, reply_to=1, thread=1, time="2026-11-23T12:00:00Z"),
        m.Topic(seq=4, text="", **stamp),  # type: ignore[arg-type]
        m.Reacted(seq=5, target=2, emoji="👍", **stamp),  # type: ignore[arg-type]
        m.Deleted(seq=6, target=1, by="b" * 16, **stamp),  # type: ignore[arg-type]
        m.Pinned(seq=7, target=1, **stamp),  # type: ignore[arg-type]
    )
    text = Reader(shown).text
    days = [datetime.fromisoformat(f"2026-11-{day}T12:00:00Z").astimezone() for day in (22, 23)]
    assert [text.count(f"{day:%A, %Y-%m-%d}") for day in days] == [1, 1]
    for wanted in ("deleted by a moderator", "↳ 1 answer", f"alice: {'x' * 80}", "* alice", "removed the topic"):
        assert wanted in text
    assert f"alice: {'x' * 81}" not in text
    assert 'title="bob"' in shown
    assert 'class="pinned"' not in shown
    assert "#dev" in text
    empty = Reader(made(room="+ops")).text
    assert "Nothing was said here." in empty
    assert "#+ops" not in empty


def test_an_image_is_told_by_name_dimensions_and_size_alone() -> None:
    one = m.Attachment(file="f" * 64, name="photo.png", size=12_288, width=640, height=480)
    half = m.Attachment(file="e" * 64, name="half.png", size=3, width=640)
    shown = made(message(1, "look", files=(one, half)))
    text = Reader(shown).text
    assert "photo.png (640×480, 12,288 bytes)" in text
    assert "half.png (3 bytes)" in text
    assert "<img" not in shown
