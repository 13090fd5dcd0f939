"""What emit does around the engine: arguments in, answers out."""

import json
from typing import Any

from wsctl.cli.console import print_text, say, to_json
from wsctl.client.target import Target
from wsctl.clock import SystemClock
from wsctl.errors import ExitCode, UsageError
from wsctl.model import observation
from wsctl.spec.units import format_duration
from wsctl.watch.emission import emit
from wsctl.wire.dialects import spoken


async def emit_event(target: Target, event: str, arguments: list[str], wait: float) -> ExitCode:
    """Send it and print what comes back; an acknowledgement that says `ok: false` is a finding.

    Raises UsageError for a target that has no events.
    """
    dialect = spoken(target.dialect)
    if dialect is not None and dialect.over == "websocket":
        raise UsageError(f"emit sends Socket.IO events; {dialect.name} has none")
    answers = await emit(target, event, [_argument(text) for text in arguments], wait=wait, clock=SystemClock())
    if answers.acknowledgement is None and answers.ended is None:
        say(f"{event} was not acknowledged within {format_duration(wait)}")
    elif answers.acknowledgement is not None:
        print_text(to_json({"acknowledgement": answers.acknowledgement}))
    for seen in answers.events:
        print_text(observation.encode(seen).decode())
    if answers.left_out:
        say(f"{answers.left_out} more events; wsctl subscribe watches a stream")
    if answers.ended is not None:
        say(f"the connection ended: {answers.ended}")
    return ExitCode.FINDINGS if _says_no(answers.acknowledgement) else ExitCode.PASSED


def _argument(text: str) -> Any:
    """JSON, or plain text where it does not look like JSON."""
    try:
        return json.loads(text)
    except ValueError as error:
        if text[:1] in ("{", "[", '"'):
            raise UsageError(f"argument is not JSON: {text[:60]}: {str(error).lower()}") from error
        return text


def _says_no(acknowledgement: list[Any] | None) -> bool:
    first = acknowledgement[0] if acknowledgement else None
    return isinstance(first, dict) and first.get("ok") is False
