"""The charts: the same bytes from the same results, in whichever process, and nothing left of older ones."""

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import render
from board import BenchError
from page.lines import spread

from tests.bench.results import line, read
from tests.conftest import PATIENCE

BENCH = Path(render.__file__).parent


def test_names_at_the_ends_of_lines_keep_their_order_and_never_overlap() -> None:
    places = spread([0.0, 0.01, 0.02, 0.5, 0.98, 0.99], 0.1)
    assert all(after - before > 0.0999 for before, after in pairwise(places))
    assert places[3] == 0.5
    assert places[0] == 0
    assert places[-1] == pytest.approx(1.0)


def run(results: Path, out: Path, seed: str) -> dict[str, bytes]:
    """Run the command, in a process whose sets have an order of their own; return the files it wrote."""
    command = [sys.executable, str(BENCH / "render.py"), str(results), "--out", str(out)]
    subprocess.run(
        command, check=True, capture_output=True, env={**os.environ, "PYTHONHASHSEED": seed}, timeout=4 * PATIENCE
    )
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*.*")}


def test_the_same_results_give_the_same_files(tmp_path: Path) -> None:
    lines = [
        line("zchat", "fanout", title="zchat 1", cpu_us_per_delivery=0.2, deliveries_per_s=5e6),
        line("forwarder", "fanout", cpu_us_per_delivery=0.3, deliveries_per_s=4e6),
        line("mosquitto0", "fanout", cpu_us_per_delivery=8.0, deliveries_per_s=1e5, limits="sends one at a time"),
        line("inspircd", "fanout", complete=False, lost=7, cpu_us_per_delivery=0.123),
        line("redis", "fanout", cannot="cannot be <had> & is not"),
        *(line(p, "growth", receivers=n, cpu_us_per_delivery=0.2) for p in ("zchat", "nats") for n in (1, 10)),
    ]
    read(tmp_path, *lines)
    (tmp_path / "once/charts").mkdir(parents=True)
    stale, foreign = tmp_path / "once/charts/paced.svg", tmp_path / "once/charts/logo.svg"
    stale.write_text("of a workload that these results have not")
    foreign.write_text("not ours")
    first = run(tmp_path / "compare.jsonl", tmp_path / "once", "1")
    assert first.pop("charts/logo.svg") == b"not ours"
    names = {f"charts/{name}.{ending}" for name in ("fanout", "growth-receivers") for ending in ("svg", "png")}
    assert first.keys() == names | {"results.md", "results.jsonl"}
    assert run(tmp_path / "compare.jsonl", tmp_path / "twice", "2") == first
    picture = first["charts/fanout.svg"].decode()
    for text in (
        ">zchat 1<",
        ">0.200<",
        ">8.00<",
        "cannot be &lt;had&gt; &amp; is not",
        "void: 7 were lost",
        "* sends one at a time",
    ):
        assert text in picture  # as text, not as outlines
    assert "0.123" not in picture


def test_results_that_cannot_be_read_are_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text("{}\n")
    command = [sys.executable, str(BENCH / "render.py"), str(tmp_path / "bad.jsonl")]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=4 * PATIENCE)
    assert (done.returncode, done.stdout) == (1, "")
    assert "bad.jsonl, line 1: Object missing required field `peer`" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_matplotlib_the_page_is_written_and_a_sentence_names_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # as if it were not installed
    read(tmp_path, line("zchat", "fanout", cpu_us_per_delivery=0.2))
    with pytest.raises(BenchError, match=r"need matplotlib.*pip install"):
        render.render(tmp_path / "compare.jsonl", tmp_path)
    assert "## Fan-out" in (tmp_path / "results.md").read_text()
