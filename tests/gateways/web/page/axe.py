"""axe, of npm, looks at what is on the page: for tests of how it is for everybody, and of what only some tests open."""

import os
from pathlib import Path
from typing import Any

from tests.gateways.web.page.conftest import STYLED, Tab, until

_MODULES = (os.environ.get("NODE_PATH", ""), Path(__file__).parents[4] / ".venv" / "node" / "node_modules")
AXE = next((found for one in _MODULES if (found := Path(one) / "axe-core" / "axe.min.js").is_file()), None)

RUN = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ['violations'] });
  const told = (node) => `${node.html.slice(0, 200)}: ${node.failureSummary}`;
  return violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => [id, ...nodes.slice(0, 3).map(told)]);
}"""


def faults(tab: Tab) -> list[Any]:
    """Return what axe finds that is serious or critical; nothing, where there is no axe."""
    if AXE is None:
        return []
    until(tab.page, STYLED)
    tab.page.evaluate(AXE.read_text())
    return list(tab.page.evaluate(RUN))
