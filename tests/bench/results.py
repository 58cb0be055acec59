"""Lines as a comparison writes them, and what is read back from them."""

import json
from pathlib import Path
from typing import Any

from page import measured
from page.measured import Measured


def line(peer: str, workload: str, **fields: Any) -> dict[str, Any]:
    return {"peer": peer, "workload": workload, "complete": True, "lost": 0, **fields}


def read(tmp_path: Path, *lines: dict[str, Any]) -> Measured:
    path = tmp_path / "compare.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in lines))
    return measured.read(path)
