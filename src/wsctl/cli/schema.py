"""wsctl schema: what a scenario, or a result, may look like, for editors and validators."""

from typing import Annotated, Any

import typer

KINDS = ("scenario", "result", "load", "load-result", "fuzz-result")


def schema(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="[scenario|result|load|load-result|fuzz-result]",
            help="Of scenario files or load profiles, or of the result.json of run, load or fuzz.",
        ),
    ] = "scenario",
) -> None:
    """Print a JSON Schema: of scenario files and load profiles, for editors, or of what run, load and fuzz write.

    Example: wsctl schema > scenario.schema.json
    """
    import json

    from wsctl.cli.console import print_text

    if kind not in KINDS:
        raise typer.BadParameter(f"{kind!r} has no schema; expected {', '.join(KINDS)}")
    print_text(json.dumps(_schema(kind), indent=2, ensure_ascii=False))


def _schema(kind: str) -> dict[str, Any]:
    if kind == "scenario":
        from wsctl.scenario.schema import scenario_schema

        return scenario_schema()
    if kind == "load":
        from wsctl.load.profile import ProfileSpec
        from wsctl.spec.schema import json_schema

        return json_schema(ProfileSpec)
    from wsctl.fuzz.result import FuzzResult
    from wsctl.load.outcome.result import LoadResult
    from wsctl.model.run import RunResult
    from wsctl.report.result_json import result_schema

    kinds: dict[str, type[RunResult | LoadResult | FuzzResult]] = {
        "result": RunResult,
        "load-result": LoadResult,
        "fuzz-result": FuzzResult,
    }
    return result_schema(kinds[kind])
