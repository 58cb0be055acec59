"""Do the tests notice? Each mutant of `mutants.py` must be failed by its tests, by an assertion of theirs.

In the normal suite it is only checked that each can still be made. `scripts/test --long` makes each: a copy of the
checkout, the mutant's words in it, its tests in a process of its own. That the same tests pass without the mutant is
what the rest of the suite shows.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.mutants.mutants import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]
WITHIN = 120.0  # seconds for the tests of one mutant
ASSERTED = ("AssertionError", "assert ", "Failed")  # how the message of an assertion begins, and that of `pytest.fail`


def mutate(source: str, mutant: Mutant) -> str:
    """Return the source with the mutant in it."""
    times = source.count(mutant.old)
    assert times == 1, f"{mutant.file} has {mutant.old!r} {times} times: has the code moved? Then move its mutant, too"
    return source.replace(mutant.old, mutant.new)


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_each_mutant_can_be_made_and_its_tests_are_there(mutant: Mutant) -> None:
    mutated = mutate((ROOT / "zchat" / mutant.file).read_text(), mutant)
    compile(mutated, mutant.file, "exec")
    for test in mutant.tests:
        file, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / "tests" / file).read_text() or not name


def make(mutant: Mutant, folder: Path) -> None:
    """Put a checkout with the mutant in it into a folder."""
    for name in ("zchat", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    place = folder / "zchat" / mutant.file
    place.write_text(mutate(place.read_text(), mutant))


def outcomes(folder: Path, test: str) -> list[str]:
    """Run a test in a checkout; return the messages of what failed, and end here if it could not be run or skipped."""
    report = folder / "report.xml"
    quick = (
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "--hypothesis-profile",
        "found",
    )  # not made shorter
    command = (sys.executable, "-m", "pytest", *quick, f"tests/{test}")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "PYTHONPATH"))}
    done = subprocess.run(
        (*command, f"--junitxml={report}", f"--basetemp={folder / 'tmp'}"),
        cwd=folder,
        env=kept,
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )
    assert done.returncode in {0, 1}, f"{test} could not be run:\n{done.stdout[-3000:]}{done.stderr[-1000:]}"
    cases = ElementTree.parse(report).getroot().iter("testcase")
    results = [result for case in cases for result in case]
    if any(result.tag == "skipped" for result in results) and not any(result.tag == "failure" for result in results):
        pytest.skip(f"{test} is skipped here")
    return [result.get("message", "") for result in results if result.tag in {"failure", "error"}]


@pytest.mark.long
@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_each_mutant_is_noticed_by_an_assertion_of_each_of_its_tests(mutant: Mutant, tmp_path: Path) -> None:
    make(mutant, tmp_path)
    for test in mutant.tests:
        messages = outcomes(tmp_path, test)
        assert messages, f"{test} does not notice that {mutant.wrong}"
        assert messages[0].startswith(ASSERTED), f"{test} did not fail by an assertion: {messages[0][:500]}"
