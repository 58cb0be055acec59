"""The keys of the editor, besides those of prompt_toolkit (Emacs keys, history, Ctrl-R, undo).

While a question is asked, it takes the next key. Only its own answers do something. Any other key means no, and a
letter is typed as well, since it was meant as text. So no key pressed by mistake sends, or leaves.
"""

from collections.abc import Callable

from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.filters import Condition, Filter, has_focus
from prompt_toolkit.input.ansi_escape_sequences import ANSI_SEQUENCES
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys

from .about import Regarding
from .conversation import Literal
from .editor import Editor, Question

FOCUS_IN, FOCUS_OUT = Keys.F23, Keys.F24  # keys that nobody has: the terminal's reports are given their names


def bindings(editor: Editor) -> KeyBindings:
    """Return what each key does in this editor."""
    keys = KeyBindings()
    ANSI_SEQUENCES["\x1b[I"], ANSI_SEQUENCES["\x1b[O"] = FOCUS_IN, FOCUS_OUT
    asked = Condition(lambda: editor.question is not None)
    editing = has_focus(editor.buffer) & ~asked
    _editing(editor, keys, editing)
    _recalling(editor, keys, editing)
    _ending(editor, keys, editing)
    _whole_terminal(editor, keys, editing)
    _targets(editor, keys, editing)
    _answers(editor, keys, asked)
    return keys


def _editing(editor: Editor, keys: KeyBindings, editing: Filter) -> None:
    buffer = editor.buffer

    @keys.add("enter", filter=editing)
    def _(_event: KeyPressEvent) -> None:
        submit(editor)

    @keys.add("escape", "enter", filter=editing)
    def _(_event: KeyPressEvent) -> None:
        buffer.insert_text("\n")

    @keys.add(Keys.BracketedPaste, filter=editing)
    def _(event: KeyPressEvent) -> None:
        paste(editor, event.data)


def _recalling(editor: Editor, keys: KeyBindings, editing: Filter) -> None:
    """Up and Down go through what was typed, and see whether it is a message to be edited. Ctrl-P only goes."""
    buffer = editor.buffer

    @keys.add("up", filter=editing)
    def _(event: KeyPressEvent) -> None:
        before = buffer.text
        buffer.auto_up(event.arg)
        if buffer.text != before:
            editor.recalled()

    @keys.add("down", filter=editing)
    def _(event: KeyPressEvent) -> None:
        before = buffer.text
        buffer.auto_down(event.arg)
        if buffer.text != before:
            editor.recalled()

    @keys.add("escape", filter=editing & Condition(lambda: editor.about is not None))
    def _(_event: KeyPressEvent) -> None:
        editor.drop_about()


def _ending(editor: Editor, keys: KeyBindings, editing: Filter) -> None:
    buffer = editor.buffer

    @keys.add("c-c", filter=editing)
    def _(_event: KeyPressEvent) -> None:
        if buffer.text or editor.about is not None:
            buffer.reset(append_to_history=bool(buffer.text.strip()))  # Up brings it back
            editor.about = None
        else:
            ask_to_leave(editor)

    @keys.add("c-d", filter=editing & Condition(lambda: not buffer.text))
    def _(_event: KeyPressEvent) -> None:
        editor.enter(None)


def _whole_terminal(editor: Editor, keys: KeyBindings, editing: Filter) -> None:
    @keys.add("tab", filter=editing)
    def _(_event: KeyPressEvent) -> None:
        complete(editor)

    @keys.add("c-z", filter=editing)
    def _(_event: KeyPressEvent) -> None:
        run_in_terminal(editor.stop)

    @keys.add(FOCUS_IN, is_global=True, eager=True)
    def _(_event: KeyPressEvent) -> None:
        editor.view.focus(True)

    @keys.add(FOCUS_OUT, is_global=True, eager=True)
    def _(_event: KeyPressEvent) -> None:
        editor.view.focus(False)


def _targets(editor: Editor, keys: KeyBindings, editing: Filter) -> None:
    targets = editor.view.targets

    def turn(number: int) -> Callable[[KeyPressEvent], None]:
        return lambda _event: editor.look_at(targets.numbered(number))

    for number in range(1, 10):
        keys.add("escape", str(number), filter=editing)(turn(number))

    @keys.add("escape", "a", filter=editing)
    def _(_event: KeyPressEvent) -> None:
        editor.look_at(targets.next_unread())

    @keys.add("pageup", filter=editing)
    def _(_event: KeyPressEvent) -> None:
        editor.enter("/older")


def _answers(editor: Editor, keys: KeyBindings, asked: Filter) -> None:
    @keys.add(Keys.Any, filter=asked, eager=True)
    @keys.add("enter", filter=asked, eager=True)
    @keys.add("escape", filter=asked, eager=True)
    @keys.add("c-c", filter=asked, eager=True)
    @keys.add("c-d", filter=asked, eager=True)
    def _(event: KeyPressEvent) -> None:
        question, editor.question = editor.question, None
        key = event.key_sequence[-1].key
        name = str(key.value) if isinstance(key, Keys) else key.lower()
        if question is not None and name in question.answers:
            question.answers[name]()
        elif key == Keys.BracketedPaste:
            paste(editor, event.data)
        elif event.data.isprintable() and name not in ("n", "enter", "escape") and len(event.data) == 1:
            editor.buffer.insert_text(event.data)


def submit(editor: Editor) -> None:
    """Enter the text of the editor as one line."""
    text, about = editor.buffer.text, editor.about
    editor.buffer.reset(append_to_history=bool(text.strip()))
    editor.notified_typing = 0.0  # what is sent ends the notice of typing: the next line needs one of its own
    is_command = text.startswith("/") and not text.startswith("//")
    if about is not None and not is_command and (text.strip() or about.how == "edit"):
        editor.about = None
        editor.enter(Regarding(text, about))
    elif text.strip():
        editor.enter(text)


def complete(editor: Editor) -> None:
    """Complete a word that can only be one thing; else complete its common part, and show the choices."""
    buffer = editor.buffer
    if buffer.complete_state is not None:
        buffer.complete_next()
        return
    found = list(buffer.completer.get_completions(buffer.document, CompleteEvent(completion_requested=True)))
    if len(found) == 1:
        buffer.apply_completion(found[0])
    else:
        buffer.start_completion(insert_common_part=True)


def ask_to_leave(editor: Editor) -> None:
    """Ask whether Ctrl-C was meant."""

    def leave() -> None:
        editor.enter(None)

    def interrupt() -> None:
        editor.interrupted = True
        leave()

    answers = {"y": leave, "c-c": interrupt, "c-d": leave}
    editor.question = Question("Leave? [y/N]", answers)


def paste(editor: Editor, data: str) -> None:
    """Insert what was pasted; if it has several lines, ask how to send them."""
    buffer = editor.buffer
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
            editor.enter(Literal(line))

    def as_one() -> None:
        buffer.reset(append_to_history=True)
        editor.enter(whole if command else Literal(whole))

    if command:
        editor.question = Question(f"Send {len(lines)} lines as one message? [o/N]", {"o": as_one, "y": as_one})
    else:
        editor.question = Question(f"Send {len(lines)} lines? [y/N/as (o)ne]", {"y": each, "o": as_one, "a": as_one})
