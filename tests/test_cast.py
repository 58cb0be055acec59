"""The picture at the top of the README: a film, and its last frame for those who show no film."""

import re
import runpy
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

SCRIPTS = Path(__file__).parent.parent / "scripts"
SVG = "{http://www.w3.org/2000/svg}"
ANIMATION = re.compile(r"@keyframes (\w+){((?:[^{}]*{[^{}]*})*)}")
STEP = re.compile(r"([\d.]+)%{visibility:(\w+)}")

Rows = dict[int, str]  # what is read in each row of pixels


def frame(svg: str, moment: float | None) -> Rows:
    """Return what is seen after this share of the film, or (None) where neither animations nor style sheets count."""
    tree = ElementTree.fromstring(svg)
    steps = {name: [(float(at) / 100, how) for at, how in STEP.findall(each)] for name, each in ANIMATION.findall(svg)}
    rows: Rows = {}
    for group in tree.iter(f"{SVG}g"):
        seen = group.get("visibility", "visible")
        if moment is not None:
            name = group.get("style", "").removeprefix("animation-name:")
            seen = [how for at, how in [(0.0, seen), *steps[name]] if at <= moment][-1]
        for text in group.iter(f"{SVG}text") if seen == "visible" else ():
            rows[int(text.get("y", ""))] = rows.get(int(text.get("y", "")), "") + (text.text or "")
    return rows


@pytest.fixture
def generated() -> Callable[..., str]:
    """Return a function that makes the picture of frames, each (from when, its rows)."""
    cast = runpy.run_path(str(SCRIPTS / "cast.py"))

    def make(*frames: tuple[float, list[str]], end: float) -> str:
        rows = [(at, [((("", row),) if row else ()) for row in [*each, *[""] * 18][:18]]) for at, each in frames]
        svg: Callable[[Any], str] = cast["svg"]
        return svg(types.SimpleNamespace(frames=rows, now=end))

    return make


def test_a_film_plays_and_without_animation_its_last_frame_is_seen(generated: Callable[..., str]) -> None:
    frames = [
        (0.0, ["hello", "› b"]),
        (1.0, ["hello", "› bye"]),
        (2.0, ["hello", "alice> bye", "›"]),
        (3.0, ["alice> bye", "", "left"]),
    ]
    svg = generated(*frames, end=4.0)
    for at, rows in frames:
        assert list(frame(svg, at / 4 + 0.01).values()) == [row for row in rows if row]
    assert frame(svg, None) == frame(svg, 0.99) == {28: "alice> bye", 66: "left"}


def test_what_a_still_picture_needs_is_in_no_style_sheet(generated: Callable[..., str]) -> None:
    root = ElementTree.fromstring(generated((0.0, ["hello"]), end=1.0))
    assert {"fill", "font-family", "font-size"} <= set(root.keys())
    sheet = root.findtext(f"{SVG}style") or ""
    assert "hidden" not in ANIMATION.sub("", sheet)


def test_the_picture_of_the_readme_shows_its_last_frame_without_animation() -> None:
    svg = (SCRIPTS / "session.svg").read_text()
    still = frame(svg, None)
    assert still == frame(svg, 0.999)
    assert list(still.values())[-1] == "Goodbye, alice."
    assert len(still) > 10
    assert list(frame(svg, 0.0).values())[-1].startswith("alice #general"), "it begins at the prompt"
