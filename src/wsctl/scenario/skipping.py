"""What cannot be shown on a server that wsctl did not start: said with the reason, never counted as passed."""

import msgspec

from wsctl.load.options import minted_users
from wsctl.scenario.spec import LoadStepSpec, ScenarioSpec, StepSpec, SubscribeSpec
from wsctl.server.options import ServeOptions
from wsctl.spec.kinds import literal
from wsctl.spec.typed import written

_HARMLESS = frozenset({"host", "port", "symbols", "rate", "seed", "jwt_secret", "control"})
"""options of serve that another feed may well differ in"""


def skip_reason(step: StepSpec, spec: ScenarioSpec) -> str | None:
    """Why a step cannot run against --url; None where it can."""
    if step.during:
        return f"{step.during[0].kind[0]} needs control over the server"
    _, options = step.command
    if isinstance(options, SubscribeSpec) and options.slow:
        return "whether a reader that stops falls behind depends on the server's rate"
    service = spec.services.get(spec.service_of(options.target) or "")
    if service is not None and service.chaos is not None:
        return "it is about a feed behind a proxy that harms it"
    if service is not None and service.serve is None:
        return "it is about a recorded feed"
    if service is not None and service.serve is not None and (asked := _asked(service.serve)):
        return f"it is about a server with {', '.join(asked)}"
    known = [user for user, token in spec.tokens.items() if token]
    missing = [user for user in users_of(step) if user not in known]
    if missing and isinstance(options, LoadStepSpec):
        return "its tokens are minted with the secret of a service: `jwt_secret` beside `users` names another"
    if missing:
        return f"no token for {', '.join(missing)}: `tokens` has {', '.join(known) or 'none'}"
    return None


def users_of(step: StepSpec) -> tuple[str, ...]:
    """The users that a step connects as."""
    _, options = step.command
    if isinstance(options, LoadStepSpec):
        tokens = options.tokens
        return minted_users(tokens.users) if tokens is not None and tokens.users and not tokens.jwt_secret else ()
    many = options.users if isinstance(options, SubscribeSpec) else ()
    return tuple(dict.fromkeys((*((options.user,) if options.user else ()), *many)))


def _asked(options: ServeOptions) -> list[str]:
    """The options that make the server behave in its own way, such as `limit_policy: reject-newest`."""
    unasked = ServeOptions()
    asked = [
        field.name
        for field in msgspec.structs.fields(ServeOptions)
        if field.name not in _HARMLESS and getattr(options, field.name) != getattr(unasked, field.name)
    ]
    return [
        f"{name}: {', '.join(value) if isinstance(value, tuple) else literal(value)}"
        for name, value in written(options, asked).items()
    ]
