"""wsctl schema: what a scenario, or a result, may look like, for editors and validators."""

from typing import Annotated

import typer

KINDS = ("scenario", "result")


def schema(
    kind: Annotated[
        str, typer.Argument(metavar="[scenario|result]", help="Of scenario files, or of result.json.")
    ] = "scenario",
) -> None:
    """Print a JSON Schema: of scenario files, for editors, or of result.json.

    Example: wsctl schema > scenario.schema.json
    """
    import json

    from wsctl.cli.console import print_text

    if kind not in KINDS:
        raise typer.BadParameter(f"{kind!r} has no schema; expected scenario or result")
    if kind == "scenario":
        from wsctl.scenario.schema import scenario_schema

        described = scenario_schema()
    else:
        from wsctl.report.result_json import result_schema

        described = result_schema()
    print_text(json.dumps(described, indent=2, ensure_ascii=False))
