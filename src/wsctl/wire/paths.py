"""JMESPath: compiled with mistakes told early, and fast where a path only steps into a message.

The library walks its syntax tree anew for each message, which costs ten times what plain steps cost; fields,
indexes, literals, comparisons for equality, `&&` and `||` become closures, anything else stays with the library.
"""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import jmespath
from jmespath.exceptions import EmptyExpressionError, IncompleteExpressionError, JMESPathError, ParseError
from jmespath.functions import Functions
from jmespath.visitor import TreeInterpreter

from wsctl.errors import UsageError
from wsctl.spec.nearest import nearest

Search = Callable[[Any], Any]
"""From a message to what a path finds in it, None where it finds nothing."""

Change = Callable[[Any, Any], Any]
"""A message with another value where a path leads, the message itself where that leads nowhere; it stays as it was."""

_HINT = "paths are JMESPath, such as meta.seq"
_interpreter = TreeInterpreter()


def compile_path(path: str) -> Search:
    """What a path finds. Raises UsageError when it does not parse, or calls a function that does not exist.

    The search itself does not fail: what cannot be applied to a message (`abs` of a text) finds nothing in it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of literals whose quotes were left out, `x` for `"x"`
            tree: Any = jmespath.compile(path).parsed
    except JMESPathError as error:
        raise UsageError(f"bad path {path!r}: {_cause(error)}", hint=_HINT) from error
    except RecursionError as error:
        raise UsageError("bad path: nested too deeply", hint=_HINT) from error
    for call in _calls(tree):
        _check_call(path, call)
    search = _closure(tree)

    def safely(message: Any) -> Any:
        try:
            return search(message)
        except (JMESPathError, ArithmeticError, TypeError, ValueError, RecursionError):
            return None

    return safely


def compile_change(path: str | None) -> Change | None:
    """How to write where a path reads, where that is one plain place: keys and indexes. None for any other."""
    steps = None if path is None else _plain_steps(jmespath.compile(path).parsed)
    return None if steps is None else lambda message, value: _changed(message, steps, value)


def _plain_steps(tree: Any) -> list[str | int] | None:
    match tree["type"]:
        case "identity" | "current":
            return []
        case "field" | "index":
            return [tree["value"]]
        case "subexpression" | "index_expression":
            parts = [_plain_steps(child) for child in tree["children"]]
            return None if None in parts else [step for part in parts for step in part or ()]
    return None


def _changed(message: Any, steps: list[str | int], value: Any) -> Any:
    if not steps:
        return value
    step, *rest = steps
    if isinstance(step, str):
        if not isinstance(message, dict) or step not in message:
            return message
        return {**message, step: _changed(message[step], rest, value)}
    if not isinstance(message, list) or not -len(message) <= step < len(message):
        return message
    copy = message.copy()
    copy[step] = _changed(message[step], rest, value)
    return copy


def _cause(error: JMESPathError) -> str:
    if isinstance(error, IncompleteExpressionError):
        return "it ends too early"
    if isinstance(error, ParseError):
        return f"{error.token_value!r} makes no sense at column {error.lex_position + 1}"
    return "it is empty" if isinstance(error, EmptyExpressionError) else str(error).splitlines()[0]


def is_true(value: Any) -> bool:
    """JMESPath's truth: null, false and anything empty are false, and 0 is true."""
    return not (value is None or value is False or value in ("", [], {}))


def _calls(tree: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(tree, dict):
        return
    if tree["type"] == "function_expression":
        yield tree
    for child in tree["children"]:
        yield from _calls(child)


def _check_call(path: str, call: dict[str, Any]) -> None:
    known = Functions.FUNCTION_TABLE
    name, given = call["value"], len(call["children"])
    if name not in known:
        close = nearest(name, known)
        raise UsageError(
            f"bad path {path!r}: there is no function {name!r}", hint=f"did you mean {close}?" if close else _HINT
        )
    signature = known[name]["signature"]
    variadic = any(argument.get("variadic") for argument in signature)
    if given < len(signature) or (given > len(signature) and not variadic):
        wanted = f"{len(signature)} argument{'' if len(signature) == 1 else 's'}"
        raise UsageError(f"bad path {path!r}: {name}() takes {wanted}, not {given}", hint=_HINT)


def _closure(tree: Any) -> Search:
    children = tree["children"]
    match tree["type"]:
        case "identity" | "current":
            return lambda message: message
        case "literal":
            return _literal(tree["value"])
        case "field":
            return _field(tree["value"])
        case "index":
            return _index(tree["value"])
        case "subexpression" | "index_expression" | "pipe":
            return _steps([_closure(child) for child in children])
        case "or_expression":
            return _either(_closure(children[0]), _closure(children[1]))
        case "and_expression":
            return _both(_closure(children[0]), _closure(children[1]))
        case "comparator" if tree["value"] in ("eq", "ne"):
            return _compared(tree["value"] == "eq", _closure(children[0]), _closure(children[1]))
    return lambda message: _interpreter.visit(tree, message)


def _literal(value: Any) -> Search:
    return lambda message: value


def _field(name: str) -> Search:
    return lambda message: message.get(name) if type(message) is dict else None


def _index(index: int) -> Search:
    def search(message: Any) -> Any:
        if type(message) is not list or not -len(message) <= index < len(message):
            return None
        return message[index]

    return search


def _steps(steps: list[Search]) -> Search:
    if len(steps) == 2:
        first, second = steps
        return lambda message: second(first(message))

    def search(message: Any) -> Any:
        for step in steps:
            message = step(message)
        return message

    return search


def _either(one: Search, other: Search) -> Search:
    def search(message: Any) -> Any:
        found = one(message)
        return found if is_true(found) else other(message)

    return search


def _both(one: Search, other: Search) -> Search:
    def search(message: Any) -> Any:
        found = one(message)
        return other(message) if is_true(found) else found

    return search


def _compared(equal: bool, one: Search, other: Search) -> Search:
    return lambda message: _equals(one(message), other(message)) is equal


def _equals(one: Any, other: Any) -> bool:
    """Python's equality, but 1 is not true, nor 0 false."""
    return bool(one == other) and isinstance(one, bool) is isinstance(other, bool)
