"""The commands that the prompt and the shell share, as one table: members, private rooms, moderation."""

from . import invitations, moderation, people, rooms
from .command import Command, Result, Scene, perform

__all__ = ["TABLE", "Command", "Result", "Scene", "perform"]

TABLE = {
    command.name: command
    for command in (*people.COMMANDS, *invitations.COMMANDS, *rooms.COMMANDS, *moderation.COMMANDS)
}
