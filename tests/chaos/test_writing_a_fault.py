"""docs/writing-a-fault.md shows the template as it is, and names what there is."""

import inspect
import re
from pathlib import Path
from typing import Any

from wsctl.chaos import faults
from wsctl.chaos.connection import Connection
from wsctl.chaos.fault import Fault
from wsctl.chaos.faults import FAULTS, noop
from wsctl.chaos.message import Message
from wsctl.chaos.proxy import Proxy
from wsctl.chaos.stream import Stream

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


def test_calls_are_shown_as_they_are_made() -> None:
    """Each method by its name, with arguments that it takes; a fault itself is `self`."""
    whose: dict[str, Any] = {
        "message": Message,
        "stream": Stream,
        "connection": Connection,
        "proxy": Proxy,
        "self": Fault,
    }
    shown = re.findall(r"`(\w+)\.(\w+)\(([^`]*)\)`", PAGE)
    shown += [("self", name, given) for name, given in re.findall(r"^\| `(\w+)\(([^`]*)\)`", PAGE, re.MULTILINE)]
    shown += [("proxy", *call) for call in re.findall(r"`self\.proxy\.(\w+)\(([^`]*)\)`", PAGE)]
    assert len(shown) >= 18
    for name, method, given in shown:
        _, *takes = inspect.signature(getattr(whose[name], method)).parameters
        gives = [one.partition("=")[0].strip() for one in given.split(",") if one]
        expected = ["self" if one == "fault" else one for one in takes][: len(gives)]
        assert gives == expected, f"{name}.{method}({given}) takes {takes}"
