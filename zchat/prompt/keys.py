"""The keys of the prompt, beyond those that prompt_toolkit brings (Emacs', history, Ctrl-R, undo).

A `Question` takes the next key: one that answers it is obeyed, any other means no, and a letter that was meant as
text is typed. So nothing that is pressed blindly sends, or leaves.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.filters import Condition, Filter, has_focus
from prompt_toolkit.input.ansi_escape_sequences import ANSI_SEQUENCES
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys

from .chat import Said

if TYPE_CHECKING:
    from .editor import Prompt

FOCUS_IN, FOCUS_OUT = Keys.F23, Keys.F24  # keys that nobody has: what the terminal reports comes under their names


@dataclass
class Question:
    """`text` is asked; a key of `answers` does what stands there."""

    text: str
    answers: dict[str, Callable[[], None]] = field(default_factory=dict)


def bindings(prompt: "Prompt") -> KeyBindings:
    """Return the keys of this prompt."""
    keys = KeyBindings()
    ANSI_SEQUENCES["\x1b[I"], ANSI_SEQUENCES["\x1b[O"] = FOCUS_IN, FOCUS_OUT
    asked = Condition(lambda: prompt.question is not None)
    editing = has_focus(prompt.buffer) & ~asked
    _editing(prompt, keys, editing)
    _whole_terminal(prompt, keys, editing)
    _places(prompt, keys, editing)
    _answers(prompt, keys, asked)
    return keys


def _editing(prompt: "Prompt", keys: KeyBindings, editing: Filter) -> None:
    buffer = prompt.buffer

    @keys.add("enter", filter=editing)
    def _(_event: KeyPressEvent) -> None:
        enter(prompt, buffer.text)

    @keys.add("escape", "enter", filter=editing)
    def _(_event: KeyPressEvent) -> None:
        buffer.insert_text("\n")

    @keys.add("c-c", filter=editing)
    def _(_event: KeyPressEvent) -> None:
        if buffer.text:
            buffer.reset(append_to_history=bool(buffer.text.strip()))  # Up brings it back
        else:
            ask_to_leave(prompt)

    @keys.add("c-d", filter=editing & Condition(lambda: not buffer.text))
    def _(_event: KeyPressEvent) -> None:
        prompt.entered.put_nowait(None)

    @keys.add(Keys.BracketedPaste, filter=editing)
    def _(event: KeyPressEvent) -> None:
        paste(prompt, event.data)


def _whole_terminal(prompt: "Prompt", keys: KeyBindings, editing: Filter) -> None:
    @keys.add("tab", filter=editing)
    def _(_event: KeyPressEvent) -> None:
        complete(prompt)

    @keys.add("c-z", filter=editing)
    def _(_event: KeyPressEvent) -> None:
        run_in_terminal(prompt.stop)

    @keys.add(FOCUS_IN, is_global=True, eager=True)
    def _(_event: KeyPressEvent) -> None:
        prompt.seat.focus(True)

    @keys.add(FOCUS_OUT, is_global=True, eager=True)
    def _(_event: KeyPressEvent) -> None:
        prompt.seat.focus(False)


def _places(prompt: "Prompt", keys: KeyBindings, editing: Filter) -> None:
    places = prompt.seat.places

    def turn(number: int) -> Callable[[KeyPressEvent], None]:
        return lambda _event: prompt.look_at(places.numbered(number))

    for number in range(1, 10):
        keys.add("escape", str(number), filter=editing)(turn(number))

    @keys.add("escape", "a", filter=editing)
    def _(_event: KeyPressEvent) -> None:
        prompt.look_at(places.next_news())

    @keys.add("pageup", filter=editing)
    def _(_event: KeyPressEvent) -> None:
        prompt.entered.put_nowait("/older")


def _answers(prompt: "Prompt", keys: KeyBindings, asked: Filter) -> None:
    @keys.add(Keys.Any, filter=asked, eager=True)
    @keys.add("enter", filter=asked, eager=True)
    @keys.add("escape", filter=asked, eager=True)
    @keys.add("c-c", filter=asked, eager=True)
    @keys.add("c-d", filter=asked, eager=True)
    def _(event: KeyPressEvent) -> None:
        question, prompt.question = prompt.question, None
        key = event.key_sequence[-1].key
        name = str(key.value) if isinstance(key, Keys) else key.lower()
        if question is not None and name in question.answers:
            question.answers[name]()
        elif key == Keys.BracketedPaste:
            paste(prompt, event.data)
        elif event.data.isprintable() and name not in ("n", "enter", "escape") and len(event.data) == 1:
            prompt.buffer.insert_text(event.data)


def enter(prompt: "Prompt", text: str) -> None:
    """Take what stands in the editor as one line."""
    prompt.buffer.reset(append_to_history=bool(text.strip()))
    prompt.signed = 0.0  # what was sent ends the sign of typing: the next line wants one of its own
    if text.strip():
        prompt.entered.put_nowait(text)


def complete(prompt: "Prompt") -> None:
    """Complete what can only be one thing, else as far as it is clear, and show what it could be."""
    buffer = prompt.buffer
    if buffer.complete_state is not None:
        buffer.complete_next()
        return
    found = list(buffer.completer.get_completions(buffer.document, CompleteEvent(completion_requested=True)))
    if len(found) == 1:
        buffer.apply_completion(found[0])
    else:
        buffer.start_completion(insert_common_part=True)


def ask_to_leave(prompt: "Prompt") -> None:
    """Ask whether Ctrl-C was meant."""

    def leave() -> None:
        prompt.entered.put_nowait(None)

    def interrupt() -> None:
        prompt.interrupted = True
        leave()

    answers = {"y": leave, "c-c": interrupt, "c-d": leave}
    prompt.question = Question("Leave? [y/N]", answers)


def paste(prompt: "Prompt", data: str) -> None:
    """Insert what was pasted; ask how to send it when there is more than one line."""
    buffer = prompt.buffer
    text = data.replace("\r\n", "\n").replace("\r", "\n")
    before = buffer.text
    buffer.insert_text(text.rstrip("\n") if "\n" in text else text)
    whole = buffer.text
    lines = [line for line in whole.split("\n") if line.strip()]
    if len(lines) < 2 or "\n" not in text.strip("\n"):
        return
    command = before.lstrip().startswith("/")

    def each() -> None:
        buffer.reset(append_to_history=True)
        for line in lines:
            prompt.entered.put_nowait(Said(line))

    def as_one() -> None:
        buffer.reset(append_to_history=True)
        prompt.entered.put_nowait(whole if command else Said(whole))

    if command:
        prompt.question = Question(f"Send {len(lines)} lines as one message? [o/N]", {"o": as_one, "y": as_one})
    else:
        prompt.question = Question(f"Send {len(lines)} lines? [y/N/as (o)ne]", {"y": each, "o": as_one, "a": as_one})
