"""The commands that the prompt and the shell share, as one table: messages, members, private rooms, moderation."""

from . import browser, invitations, messages, moderation, people, rooms
from .command import Command, Result, Scene, perform

__all__ = ["TABLE", "Command", "Result", "Scene", "perform"]

TABLE = {
    command.name: command
    for group in (messages, people, invitations, browser, rooms, moderation)
    for command in group.COMMANDS
}
