from pathlib import Path

import pytest


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    """Return where an agent's calls are written down."""
    return tmp_path / "mcp" / "helper.audit.jsonl"
