"""docs/writing-a-probe.md shows a probe that is one."""

import re
from pathlib import Path
from typing import Any

from wsctl.fuzz.catalogue import BY_ID
from wsctl.fuzz.probe import Probe

DOCS = Path(__file__).parents[2] / "docs"


def test_the_probe_that_is_explained_is_the_catalogues() -> None:
    (shown,) = re.findall(r"```python\n(.*?)```", (DOCS / "writing-a-probe.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(shown, names)
    probe = names["S4"]
    assert isinstance(probe, Probe)
    assert probe == BY_ID["S4"]
