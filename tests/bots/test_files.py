"""Files that a bot is sent, and those that it sends."""

from pathlib import Path
from typing import Any

from zchat import Bot
from zchat.protocol import messages as m
from zchat.testing import Chat


async def test_a_bot_saves_what_it_is_sent_and_sends_files(chat: Chat, tmp_path: Path) -> None:
    bot = Bot("filer", rooms=["general"])
    inbox, report, plan = tmp_path / "inbox", tmp_path / "report.txt", tmp_path / "plan.pdf"
    report.write_bytes(b"all is well")
    plan.write_bytes(b"x" * 300_000)

    @bot.on_message(r"keep this")
    async def keep(ctx: Any) -> None:
        saved = [await one.download(f"{inbox}/") for one in ctx.files]
        await ctx.reply(f"kept {saved[0].name}", files=[report])

    filer, ann = await chat.bot(bot), await chat.person("ann")
    files = ann.client.files
    one = m.Attachment(file=(await files.upload(plan)).file, name="../../.plan.pdf")
    other = m.Attachment(file=(await files.upload(report)).file, name="plan.pdf")
    await ann.client.say("keep this", room="general", files=[one, other])
    answer = await filer.replied("^kept plan.pdf$")
    assert (inbox / "plan.pdf").read_bytes() == plan.read_bytes()
    assert (inbox / "plan (2).pdf").read_bytes() == report.read_bytes()
    assert [each.name for each in answer.files] == ["report.txt"]
    assert (await files.download(answer.files[0], tmp_path / "saved")).read_bytes() == b"all is well"


async def test_a_file_is_sent_once_though_a_handler_takes_effect_once(chat: Chat, tmp_path: Path) -> None:
    bot = Bot("filer", rooms=["general"])
    report = tmp_path / "report.txt"
    report.write_bytes(b"all is well")

    @bot.command
    async def status(ctx: Any) -> None:
        ctx.once()
        await ctx.reply("the status", files=[report])

    filer, ann = await chat.bot(bot), await chat.person("ann")
    await ann.says("!status")
    answer = await filer.replied("^the status$")
    assert (await ann.client.files.download(answer.files[0], tmp_path / "saved")).read_bytes() == b"all is well"
