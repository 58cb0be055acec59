"""The names of emoji: Tab shows none that is not taken, and first what people mean."""

from zchat import emojis


def test_every_name_that_is_shown_means_its_emoji() -> None:
    shown = list(emojis.names())
    assert {name for name, emoji in shown if emojis.named(name) != emoji} == set()
    assert len(dict(shown)) == len(shown)


def test_a_name_is_taken_in_any_letters() -> None:
    assert emojis.named(":Tada:") == emojis.named("tada") == "🎉"
    assert emojis.named("Flag_for_Austria") == "🇦🇹"


def test_an_emoji_that_is_typed_as_a_sign_is_the_one_that_others_give() -> None:
    assert [emojis.named(sign) for sign in ("\u2764", "\u2764\ufe0f", "\u263a", "👍🏽")] == [
        "\u2764\ufe0f",
        "\u2764\ufe0f",
        "\u263a\ufe0f",
        "👍🏽",
    ]


def test_short_names_are_shown_before_long_ones_and_flags_last() -> None:
    shown = [name for name, _ in emojis.names() if name.startswith(":ta")]
    assert shown.index(":tada:") < shown.index(":tangerine:") < shown.index(":taiwan:")


def test_an_alias_keeps_what_it_means_where_another_emoji_is_called_so() -> None:
    assert emojis.named(":+1:") == emojis.named(":thumbsup:") == "👍"
    assert emojis.named(":sunglasses:") == "😎"
    assert emojis.named(":cat:") == "🐱"
