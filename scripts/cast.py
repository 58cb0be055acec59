"""Records the session that heads the README: `.venv/bin/python scripts/cast.py`, from the root of the checkout.

A real broker and two real terminals act a small scene; what alice's terminal shows after each step (pyte knows) is a
frame. The SVG holds each row that differs once, and a style sheet says from when to when it is seen: no script, no
font and no image in it, so it plays wherever an <img> does. Without animation, and without the style sheet, it is the
last frame: all that a still picture needs is in attributes.
"""

import sys
import tempfile
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.conftest import Broker
from tests.integration.terminal import Terminal

OUT = Path("scripts/session.svg")
COLUMNS, ROWS = 72, 18
CELL, LINE, EDGE = 8.4, 19, 14  # pixels
KEY, PAUSE = 0.07, 1.4  # seconds a key takes, and a look
PAPER, INK = "#16181d", "#d8dee9"
NAMES = {"cyan": "#56b6c2", "red": "#e06c75", "green": "#98c379", "black": "#16181d", "white": "#d8dee9"}

Row = tuple[tuple[str, str], ...]  # (style, text) of each piece


@dataclass
class Film:
    """The rows of a terminal over time: `frames` holds (from when, rows)."""

    terminal: Terminal
    now: float = 0.0
    frames: list[tuple[float, list[Row]]] = field(default_factory=list)

    def look(self, seconds: float) -> None:
        """Keep what is shown now for so long."""
        self.frames.append((self.now, [_row(self.terminal.cells(number)) for number in range(ROWS)]))
        self.now += seconds

    def type(self, text: str, end: str = "\r") -> None:
        """Type as people do, and press Enter."""
        for key in text:
            self.terminal.type(key)
            self.settle()
            self.look(KEY)
        self.terminal.type(end)

    def see(self, text: str, seconds: float = PAUSE) -> None:
        self.terminal.see(text)
        self.settle()
        self.look(seconds)

    def settle(self) -> None:
        while self.terminal.pump(0.12):
            pass


def _row(cells: list[Any]) -> Row:
    pieces: list[tuple[str, str]] = []
    for cell in cells[:COLUMNS]:
        style = _style(cell)
        if pieces and pieces[-1][0] == style:
            pieces[-1] = (style, pieces[-1][1] + cell.data)
        else:
            pieces.append((style, cell.data))
    while pieces and not pieces[-1][1].strip() and "background" not in pieces[-1][0]:
        pieces.pop()
    return tuple(pieces)


def _style(cell: Any) -> str:
    ink, paper = _colour(cell.fg, INK), _colour(cell.bg, "")
    if cell.reverse:
        ink, paper = paper or PAPER, ink
    said = [f"fill:{ink}"] if ink != INK else []
    said += ["font-weight:bold"] * cell.bold + ["text-decoration:underline"] * cell.underscore
    return ";".join(said + ([f"background:{paper}"] if paper else []))


def _colour(name: str, default: str) -> str:
    if name == "default":
        return default
    return NAMES.get(name, f"#{name}" if len(name) == 6 else default)


def scene(alice: Film, bob: Terminal) -> None:
    """What is acted."""
    alice.see("You are in #general")
    bob.enter("morning! the build is green again")
    alice.see("green again")
    alice.type("nice. what was it?")
    alice.see("<alice> nice")
    bob.type("a test that slept, of course")
    alice.see("bob is typing", 1.0)
    bob.enter()
    bob.enter("alice: see `wait_for` in https://example.org/42")
    alice.see("example.org/42", 2.0)
    alice.type("/join #ops")
    alice.see("You are in #ops")
    bob.enter("shall we ship it?")
    alice.see("#general 1")
    alice.terminal.type("\x1ba")
    alice.see("shall we ship it?", 2.0)
    alice.type("/reply ", end="\t")
    alice.see("bob: shall we ship it?")
    alice.terminal.type("\x03")
    alice.type("/reply 5 let us", end="\r")
    alice.see("↪ bob", 2.0)
    bob.enter("/react 6 :tada:")
    alice.see("🎉 bob", 2.0)
    alice.type("/edit 6 let us, today")
    alice.see("✎ 6", 2.0)
    alice.type("exit")
    alice.see("Goodbye, alice.", 3.0)


def svg(film: Film) -> str:
    """Return the film as one SVG."""
    runs: list[tuple[int, Row, float, float]] = []
    for number in range(ROWS):
        start, shown = 0.0, film.frames[0][1][number]
        for when, rows in [*film.frames[1:], (film.now, [()] * ROWS)]:
            if rows[number] != shown or when == film.now:
                runs += [(number, shown, start, when)] if shown else []
                start, shown = when, rows[number]
    wide, high = COLUMNS * CELL + 2 * EDGE, ROWS * LINE + 2 * EDGE
    rules, groups = [], []
    for place, (number, row, start, end) in enumerate(runs):
        a, b = 100 * start / film.now, 100 * end / film.now
        hidden = "0%{visibility:hidden}" if a else ""
        gone = f"{b:.3f}%{{visibility:hidden}}" if b < 100 else ""
        rules.append(f"@keyframes r{place}{{{hidden}{a:.3f}%{{visibility:visible}}{gone}}}")
        still = ' visibility="hidden"' if gone else ""
        groups.append(f'<g style="animation-name:r{place}"{still}>{_drawn(row, number)}</g>')
    style = f"text{{white-space:pre}}g{{animation:{film.now:.2f}s step-end infinite}}" + "".join(rules)
    text = f'fill="{INK}" font-family="ui-monospace,Menlo,Consolas,monospace" font-size="14" xml:space="preserve"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:g} {high}" width="{wide:g}" {text}>\n'
        f"<style>{style}</style>\n"
        f'<rect width="100%" height="100%" rx="8" fill="{PAPER}"/>\n' + "\n".join(groups) + "\n</svg>\n"
    )


def _drawn(row: Row, number: int) -> str:
    x, y, out = 0, EDGE + number * LINE, []
    for style, text in row:
        *said, paper = [*style.split(";"), ""] if "background" not in style else style.split(";")
        width = len(text)
        left, long = EDGE + x * CELL, width * CELL
        if paper:
            fill = paper.removeprefix("background:")
            out.append(f'<rect x="{left:.1f}" y="{y}" width="{long:.1f}" height="{LINE}" fill="{fill}"/>')
        if shown := text.rstrip():
            long = len(shown) * CELL
            look = f' style="{";".join(filter(None, said))}"' if any(said) else ""
            out.append(f'<text x="{left:.1f}" y="{y + 14}" textLength="{long:.1f}"{look}>{escape(shown)}</text>')
        x += width
    return "".join(out)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        data = {"ZCHAT_DATA": str(home / "data"), "ZCHAT_LOG_DIR": str(home / "log"), "ZCHAT_CONFIG": str(home / "x")}
        env = {"HOME": folder, "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", **data}
        broker = Broker(home, (), env)
        broker.start()
        try:
            env["ZCHAT_BROKER"] = broker.listen
            with (
                Terminal("join", "--nick", "bob", env=env) as bob,
                Terminal("join", "--nick", "alice", env=env, columns=COLUMNS, rows=ROWS) as alice,
            ):
                bob.see("bob #general")
                film = Film(alice)
                scene(film, bob)
        finally:
            broker.stop()
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(svg(film))
    print(f"{OUT}: {film.now:.0f} s, {len(film.frames)} frames, {OUT.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
