"""The command line: a table of commands, and the one place where errors become a sentence and an exit code.

A command is imported when it is called, so `zchat send` does not pay for the prompt's line editor. Whatever goes
wrong ends in `run`: an error of ours is a sentence, a mistake in the call gets click's usage, and what nobody foresaw
goes to the log file with its traceback, while the person is told where to find it.
"""

import logging
import os
import sys
import traceback
from collections.abc import Sequence
from datetime import datetime
from importlib import import_module
from typing import Any

import click

from zchat import logs
from zchat.errors import ZchatError
from zchat.version import __version__

INTERRUPTED = 130
IO_ERROR = 74

# about messages, members, rooms and moderation; described in zchat/prompt/shared, for the prompt has them, too
SHARED = (
    *("edit", "delete", "react", "pin", "scheduled"),
    *("members", "whois", "invite", "revoke", "device", "role", "private", "admit", "expel", "operator", "announce"),
    *("keep", "kick", "mute", "unmute", "ban", "unban", "audit"),
)
COMMANDS = {
    "broker": "zchat.cli.broker:broker",
    "cluster": "zchat.cli.cluster:cluster",
    "join": "zchat.cli.join:join",
    "send": "zchat.cli.send:send",
    "tail": "zchat.cli.tail:tail",
    "get": "zchat.cli.files:get",
    "history": "zchat.cli.questions:history",
    "search": "zchat.cli.questions:search",
    "mentions": "zchat.cli.questions:mentions",
    "export": "zchat.cli.export:export",
    "who": "zchat.cli.questions:who",
    "rooms": "zchat.cli.questions:rooms",
    "status": "zchat.cli.questions:status",
    **{name: f"zchat.cli.shared:{name}" for name in SHARED},
    "bot": "zchat.cli.bot:bot",
    "web": "zchat.cli.web:web",
    "irc": "zchat.cli.irc:irc",
    "hook": "zchat.cli.hook:hook",
    "mcp": "zchat.cli.mcp:mcp",
    "backup": "zchat.cli.backup:backup",
    "key": "zchat.cli.key:key",
}


class PipeClosed(Exception):  # noqa: N818 — the end of the output, not an error
    """Whoever read our output has gone (`| head`)."""


class Commands(click.Group):
    """The commands of the table, each imported when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name].split(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # before click turns it into an exit code of its own
            raise PipeClosed from None


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""
\b
Examples:
  zchat broker                     start a broker on this machine
  zchat join --nick alice          talk
  echo done | zchat send -         let a script talk
  zchat tail -f --json | jq .      let a script listen

\b
Exit codes:
    0  done (for send: every message is on the broker's disk)
    1  refused by the broker, or a broker with another key than the one known
    2  wrong usage
   69  no broker answers, or one side encrypts and the other does not
   74  I/O error: a file, a folder, the disk, a port
   75  timed out before the answer
  130  interrupted
  128 + N  ended by the signal N (the broker, bots and gateways: 0)

Options can also be set by the environment variables named beside them, the same for all commands: ZCHAT_BROKER,
ZCHAT_NICK, ZCHAT_ROOM … (What means another thing elsewhere has the command's name: ZCHAT_WEB_LISTEN.)
ZCHAT_IDENTITY names the file of this device's key, as for a script that is a member.
NO_COLOR switches colours off.

\b
Completion, in the shell's start-up file:
  eval "$(_ZCHAT_COMPLETE=bash_source zchat)"     bash
  eval "$(_ZCHAT_COMPLETE=zsh_source zchat)"      zsh
  _ZCHAT_COMPLETE=fish_source zchat | source      fish
""",
)
@click.version_option(__version__, prog_name="zchat", message="%(prog)s %(version)s")
def zchat() -> None:
    """Team chat over ZeroMQ: a broker that loses nothing, and clients for people and scripts."""


def run(args: Sequence[str]) -> int:
    """Run one command line and return its exit code; nothing is raised, and no traceback is shown."""
    try:
        code = zchat.main(list(args), prog_name="zchat", standalone_mode=False)
        sys.stdout.flush()
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except Exception as error:  # noqa: BLE001 — the last line of defence of the whole program
        return _failed(error)
    return code if isinstance(code, int) else 0


def _failed(error: Exception) -> int:
    """Tell what ended the command, and return the exit code for it."""
    if isinstance(error, ZchatError):
        _tell(_in_words(error))
        logs.silence_console()  # it was told
        logging.getLogger(__name__).info("ended with %d: %s", error.exit_code, error)
        return error.exit_code
    if isinstance(error, (PipeClosed, BrokenPipeError)):
        _discard_output()
        return 0
    if isinstance(error, OSError):
        _discard_output()
        _tell(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}.")
        return IO_ERROR
    _tell(_unforeseen(error))
    return 1


def _in_words(error: ZchatError) -> str:
    """Return what went wrong; times that the broker tells as they are here."""
    from zchat import moments  # noqa: PLC0415 — only a failure needs it

    now = datetime.now().astimezone()
    return moments.retold(str(error), lambda moment: moments.when(moment, now))


def _tell(sentence: str) -> None:
    """Say on standard error what went wrong; parts of it may come from a peer."""
    from zchat.escapes import escape_controls  # noqa: PLC0415 — only a failure needs it

    click.echo(f"zchat: {escape_controls(sentence)}", err=True)


def _unforeseen(error: Exception) -> str:
    """Put the traceback into the log file and return the sentence that says where; without a file, return it, too."""
    from zchat import logs  # noqa: PLC0415 — only a failure needs it

    from .options import default_log_dir  # noqa: PLC0415 — only a failure needs it

    what = f"Something went wrong inside zchat ({type(error).__name__}: {error})"
    path = logs.file() or logs.setup("client", default_log_dir(), console=logging.CRITICAL + 1)
    if path is None:
        return f"{what}. Please report these details:\n{''.join(traceback.format_exception(error))}"
    logs.silence_console()
    logging.getLogger(__name__).error("unforeseen", exc_info=error)
    return f"{what}. The details are in {path}: please report them."


def _discard_output() -> None:
    """Let the interpreter flush what is left of standard output into nothing."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)
