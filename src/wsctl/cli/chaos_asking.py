"""What chaos ctl asks of a proxy, and how the answers look."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from rich.table import Table

from wsctl.chaos.asked import as_attributes, read_fault
from wsctl.cli.console import print_text
from wsctl.cli.drawing import drawn
from wsctl.client.toxics import Toxics
from wsctl.errors import ExitCode, UsageError


async def ask(control: str, what: str, arguments: Sequence[str]) -> ExitCode:
    """One request. Raises TargetError where no proxy answers, UsageError for what it refuses."""
    async with Toxics(control) as toxics:
        print_text(await _ASKING[what](toxics, *arguments))
    return ExitCode.PASSED


async def _list(toxics: Toxics) -> str:
    proxy = await toxics.proxy()
    table = Table(box=None, pad_edge=False)
    for column in ("name", "type", "stream", "struck", "options"):
        table.add_column(column, justify="right" if column == "struck" else "left")
    for one in proxy["toxics"]:
        table.add_row(one["name"], one["type"], one["stream"], f"{one['applied']:,}", _options(one))
    state = "" if proxy["enabled"] else ", down: nobody gets in"
    head = f"{proxy['listen']} before {proxy['upstream']}, seed {proxy['seed']}{state}"
    return f"{head}\n\n{drawn(table, piped_width=110)}" if proxy["toxics"] else f"{head}\nno fault: everything passes"


async def _add(toxics: Toxics, spec: str) -> str:
    wanted = read_fault(spec)
    attributes = as_attributes(wanted.spec)
    direction, share = attributes.pop("direction", "down"), attributes.pop("p_connection", 1.0)
    made = await toxics.create(wanted.type, name=wanted.name, direction=direction, share=share, **attributes)
    struck = f", and struck {len(made['struck'])} at once" if made["struck"] else ""
    return f"{made['name']} is in force{struck}"


async def _update(toxics: Toxics, name: str, *options: str) -> str:
    kind = (await toxics.show(name))["type"]
    changed = as_attributes(read_fault(f"{kind}:{','.join(options)}").spec)
    if apart := {"direction", "p_connection"} & changed.keys():
        raise UsageError(f"{' and '.join(apart)} cannot be changed; expected to remove {name} and add another")
    return f"{name}: {_options(await toxics.update(name, **changed))}"


async def _remove(toxics: Toxics, name: str) -> str:
    await toxics.delete(name)
    return f"{name} is gone"


async def _reset(toxics: Toxics) -> str:
    await toxics.reset()
    return "no fault: everything passes"


async def _toggle(toxics: Toxics) -> str:
    enabled = not (await toxics.proxy())["enabled"]
    await toxics.enable(enabled=enabled)
    return "up: everybody gets in" if enabled else "down: nobody gets in"


async def _connections(toxics: Toxics) -> str:
    table = Table(box=None, pad_edge=False)
    for column in ("conn", "client", "address", "upstream"):
        table.add_column(column)
    found = await toxics.connections()
    for one in found:
        table.add_row(one["conn"], one["client"] or "", one["address"], one["upstream"])
    return drawn(table, piped_width=110) if found else "no connection is open"


def _options(toxic: Mapping[str, Any]) -> str:
    share = {} if toxic["toxicity"] == 1 else {"p_connection": toxic["toxicity"]}
    return ", ".join(f"{key}={value}" for key, value in {**toxic["attributes"], **share}.items())


_ASKING: Mapping[str, Callable[..., Awaitable[str]]] = {
    "list": _list,
    "add": _add,
    "update": _update,
    "remove": _remove,
    "reset": _reset,
    "toggle": _toggle,
    "connections": _connections,
}
