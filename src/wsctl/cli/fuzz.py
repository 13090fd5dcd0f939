"""wsctl fuzz: hostile input for a server, or for the clients that connect."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wsctl.cli.groups import aiming, expected, takes
from wsctl.cli.options import by_default, duration, given, names

if TYPE_CHECKING:
    from wsctl.cli.groups import Aim
    from wsctl.client.target import Target
    from wsctl.model.expectation import Expectation

_OF_SERVING = {"host", "port", "ready_file", "client_pid"}
_OF_BOTH = {"serve", "listing", "probe", "group", "seed", "duration", "fail_fast", "wait", "own", "dialect"}
_OF_REPORTS = {"format", "out", "expect"}
_OF_TARGET = {
    *("address", "url", "feed", "dialect", "path", "namespace", "transport", "cacert", "insecure", "token_file"),
    *("command", "pid", "max_stall", "own", "serve", "host", "port"),
}
_SECRET = {"token", "auth", "header"}
_OF_CHOICE = {"probe", "group", "cases", "corpus"}
"""options that say what is played, as a reproduction file does"""


@takes(aiming, "aim")
@takes(expected, "expectations")
def fuzz(
    context: typer.Context,
    address: Annotated[
        str | None, typer.Argument(metavar="URL", help="The server to attack: one on this machine, unless it is yours.")
    ] = None,
    *,
    probe: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Only this probe, such as F7; repeatable.")
    ] = None,
    group: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Only this group: handshake, frames, engineio, socketio, payload; repeatable."
        ),
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help="List the probes, and do nothing.")] = False,
    cases: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="Generate so many cases as well; 200, and none beside --probe."),
    ] = None,
    corpus: Annotated[
        list[Path] | None,
        typer.Option(metavar="TAPE", help="Generate them also out of what clients say on this tape; repeatable."),
    ] = None,
    repro: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Play this reproduction file, and nothing else.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="Of the generated cases; a random one, told at the end.")
    ] = None,
    pid: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="The server's process: what it holds has to come back to where it was."),
    ] = None,
    command: Annotated[
        str | None,
        typer.Option(metavar="CMD", help="Start the server so, and anew whenever it died; its process is watched."),
    ] = None,
    max_stall: Annotated[
        float,
        typer.Option(parser=duration, metavar="TIME", help="A connection beside the hostile ones may wait so long."),
    ] = by_default("1s"),
    max_bytes: Annotated[int, typer.Option(min=1, metavar="N", help="That one case may send.")] = 16 * 1024 * 1024,
    rate: Annotated[float, typer.Option(min=0, metavar="N", help="Cases a second at most; 0: as they come.")] = 0,
    duration: Annotated[
        float | None, typer.Option(parser=duration, metavar="TIME", help="Stop after this long, such as 10m.")
    ] = None,
    wait: Annotated[
        float | None,
        typer.Option(
            parser=duration, metavar="TIME", help="How long who died may take to come back: 10s; of --serve 30s."
        ),
    ] = None,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop at the first harm.")] = False,
    own: Annotated[
        bool,
        typer.Option("--i-own-this-target", help="Attack what is not on this machine: you may do that to it."),
    ] = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="Attack clients instead: listen, and see who survives the answers.")
    ] = False,
    host: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Of --serve: where to listen; 127.0.0.1 and [::1].")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, metavar="N", help="Of --serve: 3000; 0 picks a free one.")
    ] = None,
    ready_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help='Of --serve: write {"url", "pid"} here once listening.')
    ] = None,
    client_pid: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Of --serve: the client's process, watched as --pid is.")
    ] = None,
    format: Annotated[str, typer.Option(metavar="table|json", help="How the result is printed.")] = "table",
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write result.json, junit.xml and reproduction files there."),
    ] = None,
    aim: "Aim",
    expectations: "tuple[Expectation, ...]",
) -> None:
    """Attack a server of yours with input that has hurt others, and look whether anybody else is harmed.

    Known bugs by name, protocol violations, and generated cases that are shrunk to the smallest that hurts. After each
    of them a connection beside it must live and be answered, and a fresh one be let in. It takes a URL, --url or
    --feed: $WSCTL_URL and wsctl.yaml do not aim it by themselves.

    Example: wsctl fuzz http://127.0.0.1:3000 --group frames
    """
    from wsctl.cli.fuzzing import Reports, fuzz_clients, fuzz_target, list_probes, seeded
    from wsctl.cli.loop import run
    from wsctl.fuzz.options import CLIENT_WAIT, WAIT, FuzzOptions, ServeFuzzOptions, cases_meant
    from wsctl.server.defaults import PORT

    chosen = given(context)
    if format not in ("table", "json"):
        raise typer.BadParameter(f"--format is {format!r}; expected table or json")
    probes, groups = names(probe), _groups(names(group))
    if listing:
        list_probes(probes, groups, json=format == "json", clients=serve)
        return
    _check(context, chosen, serve=serve)
    again = _again(context, chosen)
    reports = Reports(command=again, json=format == "json", out=out, expected=expectations)
    if serve:
        serving = ServeFuzzOptions(
            seed=seeded(seed),
            host=host,
            port=PORT if port is None else port,
            dialect=context.params["dialect"],
            probes=probes,
            groups=groups,
            client_pid=client_pid,
            wait=CLIENT_WAIT if wait is None else wait,
            duration=duration,
            fail_fast=fail_fast,
            allow_remote=own,
        )
        raise typer.Exit(run(fuzz_clients(serving, reports, ready_file)))
    tapes = tuple(corpus or ())
    options = FuzzOptions(
        target=_target(aim, address, chosen),
        seed=seeded(seed),
        name="fuzz",
        probes=probes,
        groups=groups,
        cases=cases_meant(cases, probes=probes, corpus=tapes),
        corpus=tapes,
        repro=repro,
        pid=pid,
        command=command,
        max_stall=max_stall,
        max_bytes=max_bytes,
        rate=rate,
        duration=duration,
        wait=WAIT if wait is None else wait,
        fail_fast=fail_fast,
        out=out,
        allow_remote=own,
    )
    raise typer.Exit(run(fuzz_target(options, reports)))


def _groups(asked: tuple[str, ...]) -> tuple[str, ...]:
    from wsctl.fuzz.probe import GROUPS

    for name in asked:
        if name not in GROUPS:
            raise typer.BadParameter(f"there is no group {name!r}; expected {', '.join(GROUPS)}")
    return asked


def _check(context: typer.Context, chosen: set[str], *, serve: bool) -> None:
    """Raise for options that do not go together."""
    for name in _in_order(context, chosen - _OF_BOTH - _OF_REPORTS - _OF_SERVING if serve else chosen & _OF_SERVING):
        if not serve:
            raise typer.BadParameter(f"{name} is about clients that connect; expected --serve as well")
        raise typer.BadParameter(f"{name} is about a server that is attacked; with --serve clients connect")
    if "repro" in chosen:
        for name in _in_order(context, chosen & _OF_CHOICE):
            raise typer.BadParameter(f"--repro plays its file and nothing else; {name} says what else")
    if {"pid", "command"} <= chosen:
        raise typer.BadParameter("--pid and --command both say which process the server is; give one of them")


def _in_order(context: typer.Context, chosen: set[str]) -> list[str]:
    """Parameters as people write them."""
    known = [one for one in context.command.params if one.name in chosen]
    return [one.opts[0] if one.param_type_name == "option" else "a URL" for one in known]


def _again(context: typer.Context, chosen: set[str]) -> str:
    """The command that means the same target, with `…` for its secrets."""
    words = ["wsctl", "fuzz"]
    for one in context.command.params:
        value = context.params.get(one.name or "")
        option = [] if one.param_type_name == "argument" else [one.opts[0]]
        if one.name in chosen & _SECRET:
            words += [*option, "…"] * (len(value) if isinstance(value, list | tuple) else 1)
        elif one.name in chosen & _OF_TARGET:
            words += option if value is True else [*option, shlex.quote(_typed(one.name, value))]
    return " ".join(words)


def _typed(name: str, value: object) -> str:
    from wsctl.client.target import without_secrets

    if name in ("address", "url"):
        return without_secrets(str(value))
    return f"{value:g}s" if name == "max_stall" else str(value)


def _target(aim: "Aim", address: str | None, chosen: set[str]) -> "Target":
    for name in ("url", "feed"):
        if address is not None and name in chosen:
            raise typer.BadParameter(f"a URL and --{name} both say where the server is; give one of them")
    found = aim(address, None, None)
    if found is None:
        raise typer.BadParameter("nobody says what to attack; expected a URL, --url or --feed")
    return found.target
