"""`:tada:` becomes 🎉 in what somebody says or edits at the page, as they know it from elsewhere; in code it stays.

It is done where it is said, not where it is shown: so all see the same, also at a terminal and in IRC. What the page
offers is the same table: all emoji by all of their names, those that people use first. Pure.
"""

import json
import re

# What is code comes first, and is passed over: between runs of backticks that are as long, in a fence that stays open,
# in indented lines; and so are addresses. A name has no letter or slash beside it (10:30:45), and no backslash before.
_PIECES = re.compile(
    r"(?<!`)(`++).*?(?<!`)\1(?!`)"
    r"|^\ {0,3}(?:```|~~~).*\Z"
    r"|^(?:\ {4}|\t)[^\n]*"
    r"|\b\w++://\S*"
    r"|(?<![\w\\:/])(?P<names>(?::[a-z0-9_+-]{1,64}:)+)(?![\w:/])",
    re.DOTALL | re.MULTILINE | re.IGNORECASE,
)


def with_emoji(text: str) -> str:
    """Return a text with emoji in place of their names."""
    return _PIECES.sub(_piece, text) if text.count(":") > 1 else text


def _piece(found: re.Match[str]) -> str:
    if found["names"] is None:
        return found[0]
    from emoji import emojize  # noqa: PLC0415 — a large table, and few messages need it

    made = emojize(found[0].casefold(), language="alias")
    return found[0] if made == found[0].casefold() else made


def table() -> bytes:
    """Return as JSON what the page offers: each emoji with its names, the `usual` ones and all `others`."""
    from emoji import EMOJI_DATA, STATUS  # noqa: PLC0415

    full = STATUS["fully_qualified"]
    known = {
        each: data for each, data in EMOJI_DATA.items() if data["status"] == full and not _TONES.intersection(each)
    }
    told: dict[str, list[str]] = {each: [*_BESIDES.get(each, ())] for each in known}
    taken: set[str] = set()  # a short name of one may be the long one of another: it means the former, as above
    names = [(each, name) for each, data in known.items() for name in data.get("alias", ())]
    names += [(each, data["en"]) for each, data in known.items()]
    for each, name in sorted(names, key=lambda one: one[1] != one[1].casefold()):
        plain = name.strip(":").casefold()
        if plain not in taken and _NAME.fullmatch(plain):
            taken.add(plain)
            told[each].append(plain)
    usual = [[each, *told.pop(each)] for each in _USUAL.split()]
    others = [[each, *called] for each, called in told.items() if called]
    return json.dumps({"usual": usual, "others": others}, ensure_ascii=False, separators=(",", ":")).encode()


_NAME = re.compile(r"[a-z0-9_+-]{1,64}")
_TONES = frozenset(map(chr, range(0x1F3FB, 0x1F400)))  # of skin
_BESIDES = {"✅": ("done",), "🙏": ("thanks",)}  # names that are looked for
_USUAL = """
👍 ❤️ 😂 🎉 👀 ✅ 🙏 🚀 😀 😃 😄 😁 😆 😅 🤣 🙂 🙃 😉 😊 😇 🥰 😍 🤩 😘 😋 😛 😜 🤪 🤑 🤗 🤭 🤫 🤔 🤐
🤨 😐 😑 😶 😏 😒 🙄 😬 🤥 😌 😔 😪 😴 😷 🤒 🤕 🤢 🤮 🤧 🥵 🥶 🥴 😵 🤯 🤠 🥳 😎 🤓 🧐 😕 😟 🙁 😮 😯
😲 😳 🥺 😦 😧 😨 😰 😥 😢 😭 😱 😖 😣 😞 😓 😩 😫 🥱 😤 😡 😠 🤬 😈 💀 💩 🤡 👻 👽 🤖 😺 😹 🙈 🙉 🙊
💔 💕 💖 💙 💚 💛 🧡 💜 🖤 💯 💢 💥 💫 💦 💨 💬 💭 💤 👋 🖐️ ✋ 🖖 👌 🤏 ✌️ 🤞 🤟 🤘 🤙 👈 👉 👆 👇 ☝️
👎 ✊ 👊 👏 🙌 👐 🤝 ✍️ 💅 💪 🧠 👶 🧑 👩 👨 🤦 🤷 🙇 🙋 🏃 💃 🐵 🐶 🦊 🐱 🦁 🐯 🐴 🦄 🐮 🐷 🐭 🐹 🐰
🐻 🐼 🐨 🐔 🐧 🐦 🦆 🦉 🐸 🐢 🐍 🐉 🐳 🐟 🐙 🐌 🦋 🐛 🐝 🐞 🕷️ 🌹 🌻 🌱 🌴 🌵 🍀 🍁 🍄 🍎 🍌 🍇 🍓 🍑
🍍 🍅 🥕 🌶️ 🍞 🧀 🍳 🍔 🍟 🍕 🌮 🍜 🍣 🍦 🍩 🍪 🎂 🍰 🍿 ☕ 🍵 🍺 🍻 🍷 🌍 🏔️ 🏠 🏢 🚑 🚗 🚌 🚲 🚆 ✈️
🚢 🛑 🚧 ⏰ ⏳ 🌙 ☀️ ⭐ 🌟 ☁️ 🌧️ ❄️ ⛄ 🔥 💧 🌊 ⚡ 🌈 🎃 🎄 ✨ 🎈 🎁 🏆 🥇 🥈 🥉 ⚽ 🏀 🎯 🎮 🎲 🧩 🎨
🎵 🎤 🎧 🎸 🎬 💻 🖥️ ⌨️ 💾 📱 ☎️ 🔋 🔌 📷 📺 🔍 💡 🔦 📖 📚 📝 ✏️ 📎 📌 ✂️ 📁 📅 📈 📉 📊 📋 📦 📧 🗑️
🔒 🔓 🔑 🔨 🛠️ ⚙️ 🔧 🔗 🧪 🔬 💊 💰 💸 💳 ⚖️ ⚠️ 🚫 ❌ ⭕ ❓ ❗ ‼️ ➕ ➡️ ⬅️ ⬆️ ⬇️ 🔄 🔁 ⏩ ⏸️ ▶️ ⏹️ ♻️
✔️ ☑️ 🆗 🆕 🆘 🔴 🟠 🟡 🟢 🔵 🟣 ⚫ ⚪ 🟥 🟩 🏁 🚩 🏳️‍🌈 🔔 🔕 🔇 🔊 📣 📢
"""
