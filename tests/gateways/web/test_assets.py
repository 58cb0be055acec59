"""What the files of the page weigh, as they are sent."""

import re
from importlib import resources

from zchat.gateways.web import assets

WHOLE = 150_000  # bytes of all scripts and styles, without compression
PAGE = resources.files("zchat.gateways.web") / "page"


def test_the_whole_page_is_small_and_its_texts_stay() -> None:
    code = {file.name: file.read_bytes() for file in PAGE.iterdir() if file.name.endswith((".js", ".css"))}
    sent = assets.small(code | {"index.html": b"<!-- as it is -->"})
    assert sent.pop("index.html") == b"<!-- as it is -->"
    assert 100_000 < sum(map(len, sent.values())) < WHOLE
    assert b"The broker is away: ${" in sent["main.js"], "a template within another one is no code"


def test_what_no_minifier_reads_loses_its_comments_only() -> None:
    unreadable = b"// why\nlet it = be {; // so\n"
    sent = assets.small({"new.js": unreadable, "new.css": b"/* why */\na { b: c }\n"})
    assert sent == {"new.js": b"let it = be {;\n", "new.css": b"a { b: c }\n"}


MADE = re.compile(r"^ *(?:const|let) (\w+) = ")
TAKEN = re.compile(r"^ *(?:const|let) (?:\{.*\}|\[.*\]) = .*?\{(.*)")


def test_nothing_is_taken_apart_right_behind_what_stands_in_an_object_of_it() -> None:
    source = "const a = f();\nconst { b } = g({ a });\n"
    sent = assets.small({"new.js": source.encode()})["new.js"]
    assert sent.startswith(b"const{b}=g({a})"), "the minifier turns both round no more: this test can go"
    turned: list[str] = []
    for file in PAGE.iterdir():
        before: list[str] = []
        for line in file.read_text().splitlines() if file.name.endswith(".js") else ():
            if (taken := TAKEN.match(line)) and any(re.search(rf"\b{name}\b", taken[1]) for name in before):
                turned.append(f"{file.name}: {line.strip()}")
            made = MADE.match(line)
            before = [*before, made[1]] if made else before if taken else []
    assert turned == []
