"""The table of files in zchat/README.md: it names every file of the house, and none that is gone."""

import re
from collections.abc import Iterator
from pathlib import Path

HOUSE = Path(__file__).parent.parent / "zchat"
BEGINNINGS = ("__init__.py", "__main__.py")


def named() -> Iterator[Path]:
    """Yield what the rows name. A bold folder is that of the rows below, another one that of the rest of its row."""
    room = Path()
    for row in re.findall(r"^\| (.+?) \|", (HOUSE / "README.md").read_text("utf-8"), re.MULTILINE):
        folder, names = Path(), re.findall(r"`([\w./]+)`", row)
        if row.startswith("**") and names[0].endswith("/"):
            room = Path(names[0])
            continue
        for name in names:
            folder = Path(name).parent if "/" in name.rstrip("/") else folder
            yield (Path() if row.startswith("**") else room) / folder / Path(name).name


def test_the_table_names_each_file_and_none_that_is_gone() -> None:
    paths = set(named())
    assert [str(path) for path in paths if not (HOUSE / path).exists()] == []
    files = [each.relative_to(HOUSE) for each in HOUSE.rglob("*.py") if each.name not in BEGINNINGS]
    missing = [str(path) for path in files if not paths.intersection((path, *path.parents))]
    assert missing == [], "each file has its line in zchat/README.md"
