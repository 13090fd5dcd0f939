"""wsctl run: scenarios with verdicts."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wsctl.cli.groups import aimed, takes
from wsctl.cli.options import duration

if TYPE_CHECKING:
    from wsctl.client.config import Found


@takes(aimed, "found")
def run(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH...", help="Scenario files or folders; none: the suite that comes with wsctl."),
    ] = None,
    *,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write result.json and junit.xml there, and evidence of what failed."),
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only scenarios with this tag; repeatable.")
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help="List the scenarios and run nothing.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the scenarios, show their steps, run nothing.")
    ] = False,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="End with the first scenario that does not pass.")
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option(parser=duration, metavar="TIME", help="For the whole run; what is not done then fails."),
    ] = None,
    repeat: Annotated[int, typer.Option(min=1, metavar="N", help="Run everything so many times.")] = 1,
    wait: Annotated[
        float | None, typer.Option(parser=duration, metavar="TIME", help="How long --url may take to come up.")
    ] = None,
    found: "Found | None",
) -> None:
    """Run scenarios and say what held: verdicts for CI, from YAML files.

    With --url (or --feed) the feed there takes the place of the servers that scenarios start; what needs control over
    the server is skipped, and said so. $WSCTL_URL, $WSCTL_TOKEN and wsctl.yaml do not aim a run by themselves.

    Example: wsctl run scenarios/ --out results
    """
    from wsctl.cli.loop import run as run_to_the_end
    from wsctl.cli.planning import list_scenarios, show_plan
    from wsctl.cli.running import check_services, run_scenarios
    from wsctl.scenario.options import RunOptions
    from wsctl.scenario.read import read_documents, read_scenarios

    if wait is not None and found is None:
        raise typer.BadParameter("--wait is about a target; expected --url or --feed as well")
    if listing:
        raise typer.Exit(list_scenarios(read_documents(paths or [], tag or [])))
    scenarios = read_scenarios(paths or [], os.environ, tag or [])
    options = RunOptions(
        target=None if found is None else found.target,
        wait=wait or 0.0,
        out=out,
        timeout=timeout,
        fail_fast=fail_fast,
        repeat=repeat,
    )
    check_services(scenarios, options)
    if dry_run:
        raise typer.Exit(show_plan(scenarios, options))
    raise typer.Exit(run_to_the_end(run_scenarios(scenarios, options)))
