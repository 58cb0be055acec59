"""What the files of the page weigh, as they are sent."""

from importlib import resources

from zchat.gateways.web import assets

WHOLE = 155_000  # bytes of all scripts and styles, without compression
PAGE = resources.files("zchat.gateways.web") / "page"


def test_the_whole_page_is_small_and_its_texts_stay() -> None:
    code = [file for file in PAGE.iterdir() if file.name.endswith((".js", ".css"))]
    sent = {file.name: assets.small(file.name, file.read_bytes()) for file in code}
    assert 100_000 < sum(map(len, sent.values())) < WHOLE
    assert b"The broker is away: ${" in sent["main.js"], "a template within another one is no code"
    assert assets.small("index.html", b"<!-- as it is -->") == b"<!-- as it is -->"


def test_what_no_minifier_reads_loses_its_comments_only() -> None:
    assert assets.small("new.js", b"// why\nlet it = be {; // so\n") == b"let it = be {;\n"
    assert assets.small("new.css", b"/* why */\na { b: c }\n") in (b"a { b: c }\n", b"a{b:c}")
