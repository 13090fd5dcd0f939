"""What chaos ctl asks of a proxy, and how the answers look."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from wsctl.chaos.asked import as_attributes, read_fault, read_faults, read_options
from wsctl.cli.console import print_text
from wsctl.cli.drawing import drawn
from wsctl.client.toxics import Toxics
from wsctl.errors import ExitCode
from wsctl.report.words import counted, plain

_NOTHING = "no fault: everything passes"


async def ask(control: str, what: str, arguments: Sequence[str]) -> ExitCode:
    """One request. Raises TargetError where no proxy answers, UsageError for what it refuses."""
    async with Toxics(control) as toxics:
        print_text(await _ASKING[what](toxics, *arguments))
    return ExitCode.PASSED


async def _list(toxics: Toxics) -> str:
    proxy = await toxics.proxy()
    table = Table(box=None, pad_edge=False)
    for column in ("name", "type", "stream", "matched", "struck", "options"):
        table.add_column(column, justify="right" if column in ("matched", "struck") else "left", overflow="fold")
    for one in proxy["toxics"]:
        applied, matched = f"{one['applied']:,}", f"{one['matched']:,}"
        table.add_row(plain(one["name"]), one["type"], one["stream"], matched, applied, plain(_options(one)))
    state = "" if proxy["enabled"] else ", down: nobody gets in"
    head = f"{proxy['url']} before {proxy['upstream']}, seed {proxy['seed']}{state}"
    return f"{head}\n\n{drawn(table, piped_width=110)}" if proxy["toxics"] else f"{head}\n{_NOTHING}"


async def _add(toxics: Toxics, spec: str) -> str:
    wanted = read_fault(spec)
    made = await toxics.create(wanted.type, name=wanted.name, **as_attributes(wanted.spec))
    struck = f", and struck {counted(len(made['struck']), 'connection')} at once" if made["struck"] else ""
    return f"{made['name']} is in force{struck}"


async def _update(toxics: Toxics, name: str, *options: str) -> str:
    toxic = await toxics.update(name, attributes=read_options(options, of=name))
    return f"{name}, {toxic['stream']}: {_options(toxic) or 'no options'}"


async def _populate(toxics: Toxics, file: str) -> str:
    wanted = read_faults(Path(file))
    await toxics.populate(
        [{"type": one.type, "name": one.name, "attributes": as_attributes(one.spec)} for one in wanted]
    )
    return f"in force: {', '.join(one.name for one in wanted)}" if wanted else _NOTHING


async def _remove(toxics: Toxics, name: str) -> str:
    await toxics.delete(name)
    return f"{name} is gone"


async def _reset(toxics: Toxics) -> str:
    await toxics.reset()
    return _NOTHING


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
        address = f"{one['address']} port {one['port']}"
        table.add_row(one["conn"], plain(one["client"] or ""), address, one["upstream"])
    return drawn(table, piped_width=110) if found else "no connection is open"


def _options(toxic: Mapping[str, Any]) -> str:
    share = {} if toxic["toxicity"] == 1 else {"p_connection": toxic["toxicity"]}
    return ", ".join(f"{key}={value}" for key, value in {**toxic["attributes"], **share}.items())


_ASKING: Mapping[str, Callable[..., Awaitable[str]]] = {
    "list": _list,
    "add": _add,
    "update": _update,
    "remove": _remove,
    "populate": _populate,
    "reset": _reset,
    "toggle": _toggle,
    "connections": _connections,
}
