"""Names of emoji in what is said at the page."""

import json
import time

import pytest

from zchat.gateways.web.emojis import table, with_emoji


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("done :tada:", "done 🎉"),
        (":+1::Tada: (:heart:)", "👍🎉 (❤️)"),
        (":Germany: :flag_for_austria:", "🇩🇪 🇦🇹"),
        ("no :such_emoji: here", "no :such_emoji: here"),
        ("at 10:100:30, std::x::y, :x", "at 10:100:30, std::x::y, :x"),
        (r"\:tada:", r"\:tada:"),
        ("https://x.org/:id:/:x: /:id: :tada:", "https://x.org/:id:/:x: /:id: 🎉"),
        ("`:tada:` and ``a ` :tada:`` :tada:", "`:tada:` and ``a ` :tada:`` 🎉"),
        ("a lone ` :tada:", "a lone ` 🎉"),
        ("```\n:tada:\n```\n:tada:", "```\n:tada:\n```\n🎉"),
        ("so:\n```yaml\n:key: value", "so:\n```yaml\n:key: value"),
        ("    :tada:\n:tada:", "    :tada:\n🎉"),
    ],
)
def test_a_name_of_an_emoji_becomes_it_except_in_code(text: str, made: str) -> None:
    assert with_emoji(text) == made


@pytest.mark.parametrize("piece", ["`", "` ``", "a", "a:/", ":a", ":a:", "```\n", "~~~\n", "    "])
def test_no_text_takes_long(piece: str) -> None:
    text = (piece * 16_384)[:16_384] + " ".join("`" * n for n in range(1, 100)) + ":tada:"
    begun = time.process_time()
    with_emoji(text)
    assert time.process_time() - begun < 1


def test_the_page_offers_each_emoji_once_by_names_that_mean_no_other_one_the_usual_ones_first() -> None:
    told = json.loads(table())
    assert told["usual"][0] == ["👍", "thumbsup", "thumbs_up", "+1"]
    rows = told["usual"] + told["others"]
    assert len({emoji for emoji, *_ in rows}) == len(rows) > 1_500
    assert all(names and len(set(names)) == len(names) for _, *names in rows)
    named = {name: emoji for emoji, *names in rows for name in names}
    made = {name: with_emoji(f":{name}:") for name in named}
    only_found = {name for name in named if made[name] != named[name]}
    assert only_found == {"done", "thanks"}
    assert [named[name] for name in ("tada", "germany", "done")] == ["🎉", "🇩🇪", "✅"]
