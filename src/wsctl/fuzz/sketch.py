"""How a case is shown to people: its steps in words, the beginning of its bytes in hexadecimal."""

from wsctl.fuzz import frames
from wsctl.fuzz.steps import Case, Data, Frame, Join, Open, Raw, Request, Run, Say, Step, Upgrade, length

SHOWN = 64
"""bytes of a step's content"""


def hexadecimal(case: Case, *, client: bool) -> str:
    """The beginning of what its hostile step sends, by a client or by a server."""
    for step in reversed(case.steps):
        match step:
            case Frame():
                size = step.length if step.length is not None else _size(step.data)
                content = frames.head(step, size, client=client) + _beginning(step.data)
            case Raw(data=sent) | Say(data=sent) | Upgrade(tail=sent) | Request(body=sent):
                content = _beginning(sent or ())
            case _:
                continue
        if content:
            return content[:SHOWN].hex()
    return ""


def _size(content: Data) -> int:
    return sum(map(length, content))


def _beginning(content: Data) -> bytes:
    shown = b""
    for run in content:
        if len(shown) >= SHOWN:
            break
        unit = run.text.encode("utf-8", "surrogatepass") or run.raw
        shown += unit * min(run.times, SHOWN // max(1, len(unit)) + 1)
    return shown[:SHOWN]


def words(step: Step) -> str:
    """A step on one line."""
    match step:
        case Say(data=content, binary=binary, times=times):
            return f"say {'binary ' if binary else ''}{_text(content)}{_times(times)}"
        case Frame(opcode=opcode, data=content, times=times):
            return f"frame {opcode:x} {_text(content)}{_times(times)}"
        case Raw(data=content, times=times):
            return f"write {_text(content)}{_times(times)}"
        case Request(method=method, query=query):
            return f"{method} ?{query}"
        case Open(carrier=carrier):
            return f"open over {carrier}"
        case Join(namespace=namespace):
            return f"join {namespace or ''}".rstrip()
    return type(step).__name__.lower()


def _text(content: Data) -> str:
    return " ".join(_run(run) for run in content)[:200]


def _run(run: Run) -> str:
    return f"{run.text!r}" + _times(run.times) if run.text else f"0x{run.raw.hex()}{_times(run.times)}"


def _times(times: int) -> str:
    return f" ×{times:,}" if times > 1 else ""
