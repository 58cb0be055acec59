"""`zchat bot`: what `new` writes runs and passes its own test, and `run` runs it, again when it changes."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import ZCHAT, Broker, RunZchat, wait_for


@contextmanager
def running(environment: dict[str, str], broker: Broker, *args: str) -> Iterator["subprocess.Popen[bytes]"]:
    command = (*ZCHAT, "bot", "run", "--broker", broker.listen, *args)
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as process:
        try:
            yield process
            process.terminate()
            assert process.wait(30) == 0
        finally:
            process.kill()


def test_a_new_bot_passes_its_own_test(zchat: RunZchat, tmp_path: Path, environment: dict[str, str]) -> None:
    made = zchat("bot", "new", "tea-bot", "--in", str(tmp_path / "bots"))
    assert (made.code, [Path(line).name for line in made.out.splitlines()]) == (0, ["tea_bot.py", "test_tea_bot.py"])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path / "bots")],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        check=False,
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr
    again = zchat("bot", "new", "tea-bot", "--in", str(tmp_path / "bots"))
    assert again.code == 2
    assert "exists already" in again.err


@pytest.mark.parametrize("name", ["class", "random", "zchat"])
def test_a_bots_file_is_named_so_that_python_can_import_it_and_all_else(
    name: str, zchat: RunZchat, tmp_path: Path
) -> None:
    made = zchat("bot", "new", name, "--in", str(tmp_path))
    assert [Path(line).name for line in made.out.splitlines()] == [f"bot_{name}.py", f"test_bot_{name}.py"]


def test_a_bot_runs_until_it_is_told_to_stop_and_again_when_its_file_changes(
    broker: Broker, zchat: RunZchat, environment: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "herald.py"
    text = 'from zchat import Bot\nbot = Bot("file")\n@bot.command()\ndef now(ctx): return "first"\nbot.run()\n'
    file.write_text(text)

    def says(answer: str) -> bool:
        return answer in zchat("tail", "-n", "9", "-r", "ops", broker=broker).out

    with running(environment, broker, "--nick", "herald", "-r", "ops", "--reload", str(file)):
        wait_for(lambda: "herald" in zchat("who", broker=broker).out, "the bot to be there")
        zchat("send", "-r", "ops", "!now", broker=broker)
        wait_for(lambda: says("first"), "its answer")
        file.write_text(text.replace("first", "second"))
        zchat("send", "-r", "ops", "!now", broker=broker)  # no message falls between the two
        zchat("send", "-r", "ops", "!now", broker=broker)

        def anew() -> bool:
            zchat("send", "-r", "ops", "!now", broker=broker)
            return says("second")

        wait_for(anew, "the new bot's answer")


def test_a_handler_that_interrupts_costs_its_message_and_ctrl_c_stops_the_bot(
    broker: Broker, zchat: RunZchat, environment: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "herald.py"
    raises = "@bot.command()\nasync def fail(ctx): raise KeyboardInterrupt\n"
    answers = '@bot.command()\ndef now(ctx): return "still here"\n'
    file.write_text(f'from zchat import Bot\nbot = Bot("herald", rooms=["ops"])\n{raises}{answers}')

    def is_said(text: str) -> bool:
        return text in zchat("tail", "-n", "9", "-r", "ops", broker=broker).out

    with running(environment, broker, str(file)) as process:
        wait_for(lambda: "herald" in zchat("who", broker=broker).out, "the bot to be there")
        zchat("send", "-r", "ops", "!fail", broker=broker)
        wait_for(lambda: is_said("something went wrong in fail"), "its apology")
        zchat("send", "-r", "ops", "!now", broker=broker)
        wait_for(lambda: is_said("still here"), "its answer")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x = 1", "holds 0 bots"),
        ("from zchat import Bot\na = Bot('a')\nb = Bot('b')", "holds 2 bots"),
        ("import nothing_there", "No module named 'nothing_there'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
    ],
)
def test_a_file_without_its_one_bot_is_refused(zchat: RunZchat, tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "x.py").write_text(text)
    for file in (str(tmp_path / "x.py"), os.path.relpath(tmp_path / "x.py")):
        result = zchat("bot", "run", file)
        assert result.code == 2
        assert why in result.err
        assert "importlib" not in result.err  # of what failed, only what is in the file
        assert ('x.py", line 1' in result.err) == ("Traceback" in result.err)


def test_the_store_is_where_the_command_line_says(
    broker: Broker, zchat: RunZchat, environment: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "x.py"
    file.write_text("from zchat import Bot\nbot = Bot('keeper')\nbot.store.get('looked')\n")
    with running(environment, broker, "--data", str(tmp_path / "here"), str(file)):
        wait_for(lambda: "keeper" in zchat("who", broker=broker).out, "the bot to be there")
        assert (tmp_path / "here" / "bots" / "keeper.db").exists()


@pytest.mark.parametrize("how", [(sys.executable,), (*ZCHAT, "bot", "run")], ids=["python", "zchat bot run"])
@pytest.mark.parametrize(
    ("end", "code", "sentence"),
    [
        (
            "bot.run()",
            1,
            "zchat: The nick dicebot is taken. Choose another (--nick, at the prompt /nick), or wait.\n",
        ),
        ("bot.broker = 'nowhere'\nbot.run()", 2, "zchat: 'nowhere' is not an address that can be used"),
        ("bot.name, bot.rooms = 'other', ['\\x1b']\nbot.run()", 1, "zchat: The broker refused (bad_room): "),
    ],
    ids=["a taken nick", "no address", "a refused room"],
)
def test_a_bot_that_cannot_be_says_why_in_a_sentence_and_exits_with_its_code(
    broker: Broker,
    zchat: RunZchat,
    environment: dict[str, str],
    tmp_path: Path,
    how: tuple[str, ...],
    end: str,
    code: int,
    sentence: str,
) -> None:
    (tmp_path / "x.py").write_text(f"from zchat import Bot\nbot = Bot('dicebot')\n{end}")
    env = environment | {"ZCHAT_BROKER": broker.listen}
    with subprocess.Popen((*ZCHAT, "join", "--nick", "dicebot"), env=env, stdin=subprocess.PIPE) as other:
        wait_for(lambda: "dicebot" in zchat("who", broker=broker).out, "somebody of this name")
        done = subprocess.run((*how, tmp_path / "x.py"), env=env, capture_output=True, text=True, check=False)
        assert other.stdin is not None
        other.stdin.close()
    told = [line for line in done.stderr.splitlines(keepends=True) if " runs in " not in line]
    assert (done.returncode, len(told), done.stdout) == (code, 1, "")
    assert told[0].startswith(sentence)
    assert "\x1b" not in told[0]
