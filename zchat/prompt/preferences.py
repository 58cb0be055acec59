"""The preferences of a person: one TOML file in the user's configuration folder.

Each preference is a field of `Preferences`. `/set` shows, explains and checks them from there, and the file is read
into the same record. No mistake in the file may keep anybody from the chat. So a file that cannot be read is reported
and left as it is, and the defaults are used.
"""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, structs

from zchat import files
from zchat.errors import FolderError

Name = Annotated[str, Meta(min_length=1, max_length=64)]


class Preferences(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    bell: Annotated[Literal["off", "mentions", "all"], Meta(description="When the terminal rings.")] = "mentions"
    notify: Annotated[
        Literal["off", "osc9", "osc777"],
        Meta(description="How the desktop is told of a mention while the terminal has no focus."),
    ] = "osc9"
    joins: Annotated[
        Literal["lately", "all", "none"],
        Meta(description="Whose joins and leaves are shown; lately: of who spoke in the last 10 minutes."),
    ] = "lately"
    typing: Annotated[bool, Meta(description="Whether others see that you type.")] = True
    stamp: Annotated[str, Meta(max_length=40, description="The time of a message, in strftime's format.")] = "%H:%M"
    highlight: Annotated[tuple[Name, ...], Meta(description="Words that mention you, as your nick does.")] = ()
    ignore: Annotated[tuple[Name, ...], Meta(description="Whose messages you do not see.")] = ()


FIELDS = structs.fields(Preferences)


def explain(name: str) -> tuple[str, str]:
    """Return the values that a preference takes, and its purpose. Raises KeyError."""
    kind: Any = next((field.type for field in FIELDS if field.name == name), None)
    if kind is None:
        raise KeyError(name)
    inner = kind.__origin__
    values = getattr(inner, "__args__", ()) if getattr(inner, "__origin__", None) is Literal else ()
    shape = "|".join(values) or ("on|off" if inner is bool else "TEXT" if inner is str else "WORD …")
    return shape, str(kind.__metadata__[0].description)


def require(name: str) -> str:
    """Return `name` if there is such a preference. Raises KeyError."""
    explain(name)
    return name


def as_typed(value: object) -> str:
    """Return a value as one types it after /set."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return " ".join(value) if isinstance(value, tuple) else str(value)


def changed(old: Preferences, name: str, text: str) -> Preferences:
    """Return the preferences with `name` set to the value of `text`. Raises KeyError, ValueError."""
    explain(name)
    text = "" if text in ("''", '""') else text  # as one empties it in a shell
    value: Any = text
    if isinstance(getattr(old, name), bool):
        value = {"on": True, "off": False}.get(text.lower(), text)
    elif isinstance(getattr(old, name), tuple):
        value = tuple(dict.fromkeys(text.split()))
    try:
        return msgspec.convert(structs.asdict(old) | {name: value}, Preferences)
    except msgspec.ValidationError as error:
        shape, _ = explain(name)
        why = f"{name} may be {shape}, not {text!r}" if "|" in shape else str(error)
        raise ValueError(why) from None


def default_path() -> Path:
    """Return the path of the file: ZCHAT_CONFIG, or in the user's configuration folder."""
    from platformdirs import user_config_path  # noqa: PLC0415 — most commands do not need it

    if given := os.environ.get("ZCHAT_CONFIG"):
        return Path(given)
    return user_config_path("zchat", appauthor=False) / "preferences.toml"


def load(path: Path) -> tuple[Preferences, str]:
    """Return the preferences in a file, and what is wrong with it or ""."""
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Preferences), ""
    except FileNotFoundError:
        return Preferences(), ""
    except (OSError, ValueError, RecursionError) as error:
        return Preferences(), f"{path} is not used: {error}. It is kept as {backup(path).name} when you /set something."


def backup(path: Path) -> Path:
    """Return where an unreadable file is moved when a new one is written."""
    return path.with_name(path.name + ".unread")


def save(path: Path, preferences: Preferences) -> None:
    """Replace the file as a whole; an unreadable one is moved aside first. Raises FolderError."""
    try:
        files.folder(path.parent)
        if path.exists() and load(path)[1]:
            path.rename(backup(path))
        files.rewrite(path, msgspec.toml.encode(preferences))
    except OSError as error:
        raise FolderError(path.parent, error, "ZCHAT_CONFIG") from error
