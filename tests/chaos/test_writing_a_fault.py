"""docs/writing-a-fault.md shows the template as it is, and names what there is."""

import re
from pathlib import Path

from wsctl.chaos import faults
from wsctl.chaos.fault import Fault
from wsctl.chaos.faults import FAULTS, noop

PAGE = (Path(__file__).parents[2] / "docs" / "writing-a-fault.md").read_text()


def test_the_template_is_shown_whole() -> None:
    """The code on the page is the file's."""
    (shown,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert shown == Path(noop.__file__).read_text()
    assert "_ALL" in vars(faults)


def test_what_may_be_overridden_is_named() -> None:
    """Whatever of a fault's methods those that there are do override."""
    rows = PAGE.partition("| method")[2].partition("\n\n")[0]
    named = set(re.findall(r"^\| `(\w+)|, `(\w+)\(\)` \|", rows, re.MULTILINE))
    overridden = {
        name
        for fault in FAULTS.values()
        for kind in fault.mro()[: fault.mro().index(Fault)]
        for name, value in vars(kind).items()
        if hasattr(Fault, name) and not name.startswith("_") and (callable(value) or isinstance(value, property))
    }
    assert {one or other for one, other in named} == overridden - {"options"}
