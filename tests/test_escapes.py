"""What acts on a terminal is an escape, in text and in JSON, and what people write stays whole."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zchat import escapes

ACTING = (
    "\x00\x1b\x7f\x85\x9b\x9d\u00ad\u061c\u180e\u200b\u200e\u200f\u2028\u2029\u202a\u202e\u2060\u2065\u2066\u2069\ufeff"
)
ACTING += "\ufff0\ufff9\ufffa\ufffb\U000e0000\U000e0001\U000e0041\U000e007f\U000e0fff"
nasty = st.text(st.characters() | st.sampled_from(ACTING + "\r\n\t\u200c\u200d\u0301\u20dd\U000e0100\U0001f3f4"))


def land(name: str) -> str:
    """Return the flag of a land that is part of another."""
    return "\U0001f3f4" + "".join(chr(0xE0000 + ord(letter)) for letter in name) + "\U000e007f"


def harmless(text: str) -> bool:
    """Tell whether nothing in a line acts, and no character carries more than it can."""
    marks = 0
    for flag in map(land, ("gbeng", "gbsct", "gbwls")):
        text = text.replace(flag, "F")
    for each in text:
        on_another = unicodedata.category(each)[0] == "M" or each in "\u200c\u200d"
        marks = marks + 1 if on_another else 0
        if marks > 8 or (each in ACTING or unicodedata.category(each) in ("Cc", "Cf", "Cs", "Zl", "Zp")) > on_another:
            return False
    return True


@given(nasty)
def test_whatever_was_written_is_harmless_as_text(text: str) -> None:
    assert harmless(escapes.escape_controls(text))
    assert all(map(harmless, escapes.escape_controls(text, "\n").split("\n")))


@given(st.lists(nasty), st.booleans())
def test_whatever_was_written_is_harmless_as_json_and_means_the_same(texts: list[str], ascii_: bool) -> None:
    lines = [json.dumps({"text": text, text: 1}, ensure_ascii=ascii_) for text in texts]
    shown = escapes.json("\n".join(lines).encode(errors="replace"))
    assert all(map(harmless, shown.decode().split("\n")))
    meant = [json.loads(line.encode(errors="replace")) for line in lines]
    assert [json.loads(line) for line in shown.split(b"\n") if line] == meant


@pytest.mark.parametrize("character", ACTING)
def test_each_character_that_acts_is_escaped_and_json_gives_it_back(character: str) -> None:
    assert escapes.escape_controls(f"a{character}b").isascii()
    shown = escapes.json(json.dumps(f"é{character}b", ensure_ascii=False).encode())
    assert character not in shown.decode()
    assert json.loads(shown) == f"é{character}b"


@pytest.mark.parametrize(
    "text",
    [
        "żółć tiê\u0301ng Vie\u0323\u0302t",
        "בְּרֵאשִׁ֖ית בָּרָ֣א אֱלֹהִ֑ים",
        "بِسْمِ ٱللَّهِ ٱلرَّحْمَـٰنِ ٱلرَّحِيمِ",
        "نمی\u200cخواهم",
        "क्षत्रिय श्री र्क्ष",
        "ที่นี่ น้ำ กั๊ก",
        "ကြွှောင့်",
        "\u0f67\u0f90\u0fb5\u0fa8\u0fb3\u0fba\u0fbc\u0fbb\u0f82",
        "한국어 \u1112\u1161\u11ab",
        "👩‍❤️‍💋‍👨 👨🏿‍👩🏻‍👧🏽‍👦🏾 🏳️‍⚧️ 1️⃣ 🇵🇱 ✈︎",
        land("gbeng") + land("gbsct") + land("gbwls"),
    ],
)
def test_scripts_and_emoji_stay_whole(text: str) -> None:
    assert escapes.escape_controls(text) == text
    assert escapes.json(text.encode()).decode() == text


@pytest.mark.parametrize("mark", ["\u0301", "\u200d", "\u0903", "\u20dd", "\ufe0f", "\U000e0100"])
def test_a_character_carries_a_handful_of_marks_and_the_others_are_told(mark: str) -> None:
    assert escapes.escape_controls("a" + mark * 8) == "a" + mark * 8
    assert (
        escapes.escape_controls("a" + mark * 3_000 + "b" + mark)
        == "a" + mark * 8 + ascii(mark)[1:-1] * 2_992 + "b" + mark
    )
    assert escapes.escape_controls("a" + "\u200d\u0301" * 9).count("\u0301") == 4, "what joins does not begin anew"


def test_other_tags_are_escaped_also_behind_a_flag() -> None:
    assert escapes.escape_controls(land("x")) == "\U0001f3f4\\U000e0078\\U000e007f"
    assert escapes.escape_controls(land("gbeng") + "\U000e0041") == land("gbeng") + "\\U000e0041"


def test_json_that_is_none_is_harmless_too() -> None:
    assert escapes.json(b'{"a":\t1}\r\n{"b":"\xff\x9b"}') == '{"a": 1} \n{"b":"\ufffd\ufffd"}'.encode()
