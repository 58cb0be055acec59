"""`:tada:` becomes 🎉 in what somebody says or edits at the page, as they know it from elsewhere; in code it stays.

It is done where it is said, not where it is shown: so all see the same, also at a terminal and in IRC. What the page
offers is the same table: all emoji by all of their names, those that people use first. Pure.
"""

import json
import re

from zchat.emojis import by_name

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
    return "".join(by_name().get(name.casefold(), f":{name}:") for name in found[0][1:-1].split("::"))


def table() -> bytes:
    """Return as JSON what the page offers: each emoji with its names, the `usual` ones and all `others`."""
    told: dict[str, list[str]] = {}
    for name, each in sorted(by_name().items(), key=lambda one: not one[0][0].isalpha()):  # thumbsup before +1
        if _NAME.fullmatch(name) and not _TONES.intersection(each):
            told.setdefault(each, [*_BESIDES.get(each, ())]).append(name)
    usual = [[each, *told.pop(each)] for each in _USUAL.split()]
    others = [[each, *names] for each, names in told.items()]
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
