"""Twins: what a probe does to servers, done to clients. Its id ends in C."""

from msgspec import structs

from wsctl.fuzz.probe import Probe
from wsctl.fuzz.steps import Answer, Case, Steps, Upgrade

DEFLATE = ("Sec-WebSocket-Extensions", "permessage-deflate")


def twin(probe: Probe) -> Probe:
    """The same frames from the server's side; what was hostile in the request is so in its answer."""
    cases = tuple(Case(name=case.name, steps=_turned(case.steps), ask="ping") for case in probe.cases)
    return structs.replace(probe, id=f"{probe.id}C", attacks="client", cases=cases)


def _turned(steps: Steps) -> Steps:
    turned = (_answered(step) if isinstance(step, Upgrade) else step for step in steps)
    return tuple(step for step in turned if step != Answer())


def _answered(step: Upgrade) -> Answer:
    headers = (*step.headers, DEFLATE) if step.compressed else step.headers
    return Answer(headers=headers, leading=step.leading, tail=step.tail)
