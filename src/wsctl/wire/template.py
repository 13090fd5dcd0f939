"""Templates: texts and frames with `{placeholders}`, which can be filled and, the other way, recognised.

`{name}` stands for a text, `{name:int}` for a whole number. In a frame, a list of one item with placeholders is that
item once per binding, so that one template says "all channels in one frame": `{op: subscribe, args: ["{channel}"]}`;
`"{channels}"` in place of a list is short for `["{channel}"]`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from wsctl.errors import UsageError, WireError
from wsctl.spec.nearest import nearest
from wsctl.wire.dialect import Frame
from wsctl.wire.values import decode_json, encode_json

Binding = Mapping[str, str]
"""What placeholders stand for."""

CHANNEL, CHANNELS = "channel", "channels"

_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(:int)?\}")
_BRACE = re.compile(r"[{}]")


class Pattern:
    """A text with placeholders. Raises UsageError for a brace that belongs to none."""

    def __init__(self, text: str) -> None:
        self.text = text
        parts = _PLACEHOLDER.split(text)  # literal, name, kind, literal, …
        if any(_BRACE.search(literal) for literal in parts[::3]):
            raise UsageError(f"a brace without placeholder in {text!r}", hint="placeholders read {name} or {name:int}")
        names = parts[1::3]
        if len(set(names)) < len(names):
            raise UsageError(f"a placeholder twice in {text!r}")
        self.names = tuple(names)
        self.number = parts[2] == ":int" if len(parts) == 4 and not parts[0] and not parts[3] else False
        """whether it is one placeholder for a whole number, and nothing else"""
        holes = ["" if kind is None else kind for kind in parts[2::3]]
        shapes = ["(-?[0-9]+)" if kind else "(.+?)" for kind in holes]
        literals = [re.escape(literal) for literal in parts[::3]]
        self._regex = re.compile("".join(map("".join, zip(literals, [*shapes, ""], strict=True))), re.DOTALL)

    def match(self, text: str) -> dict[str, str] | None:
        """What the placeholders stand for in a text of this form."""
        match = self._regex.fullmatch(text)
        return None if match is None else dict(zip(self.names, match.groups(), strict=True))

    def fill(self, binding: Binding) -> str:
        """The text. Raises KeyError for a placeholder without a value."""
        return _PLACEHOLDER.sub(lambda match: binding[match[1]], self.text)


class _Each:
    """A list of one item per binding."""

    def __init__(self, item: Any) -> None:
        self.item = item


class FrameTemplate:
    """A frame: a text as it is, or JSON. Raises UsageError for a template that cannot be one.

    A text that is JSON means that JSON.
    """

    def __init__(self, written: Any, known: Iterable[str] | None) -> None:
        """`known` are the placeholders that there are; None for whatever is written."""
        self._names: set[str] = set()
        """those outside a list of one item per binding"""
        self._inner: set[str] = set()
        """those inside it"""
        self._known = None if known is None else frozenset(known)
        if isinstance(written, str):
            written = _as_json(written)
        if not isinstance(written, str | dict | list):
            raise UsageError("a frame is a text, a mapping or a list")
        self._shape = self._compile(written)
        self.is_text = isinstance(written, str)

    @property
    def names(self) -> frozenset[str]:
        """Its placeholders."""
        return frozenset(self._names | self._inner)

    def write(self, bindings: Sequence[Binding], extra: Mapping[str, Any] | None = None) -> list[Frame]:
        """As few frames as say all bindings: those that agree outside the list share one.

        `extra` are further keys of a frame that is an object.
        """
        groups: dict[tuple[str, ...], list[Binding]] = {}
        outer = sorted(self._names)
        for binding in bindings:
            groups.setdefault(tuple(binding[name] for name in outer), []).append(binding)
        return [self._write(group, extra) for group in groups.values()]

    def match(self, frame: Frame, message: Any) -> list[dict[str, str]] | None:
        """The bindings that a frame, or the JSON in it, says; None when it is no such frame."""
        if self.is_text:
            found = self._shape.match(frame) if isinstance(frame, str) else None
            return None if found is None else [found]
        outer: dict[str, str] = {}
        items: list[dict[str, str]] = []
        if not _matches(self._shape, message, outer, items):
            return None
        return [{**outer, **item} for item in items] if self._inner else [outer]

    def _write(self, group: list[Binding], extra: Mapping[str, Any] | None) -> Frame:
        if self.is_text:
            return str(self._shape.fill(group[0]))
        filled = _fill(self._shape, group)
        return encode_json({**filled, **extra} if extra and isinstance(filled, dict) else filled)

    def _compile(self, written: Any) -> Any:
        if isinstance(written, dict):
            return {key: self._compile(value) for key, value in written.items()}
        if written == f"{{{CHANNELS}}}":
            written = [f"{{{CHANNEL}}}"]
        if isinstance(written, list):
            outside, self._names = self._names, set()
            items = [self._compile(item) for item in written]
            inside, self._names = self._names, outside
            if len(items) != 1 or not inside:
                self._names |= inside
                return items
            if self._inner:
                raise UsageError("two lists with placeholders in one frame")
            self._inner = inside
            return _Each(items[0])
        return self._pattern(written) if isinstance(written, str) else written

    def _pattern(self, text: str) -> Any:
        pattern = Pattern(text)
        for name in pattern.names:
            if name == CHANNELS:
                raise UsageError(f"{{{name}}} is a list; expected it alone, not in {text!r}")
            if self._known is not None and name not in self._known:
                known = {*self._known, CHANNELS} if CHANNEL in self._known else self._known
                close = nearest(name, sorted(known))
                listed = ", ".join(f"{{{name}}}" for name in sorted(known)) or "none here"
                hint = f"did you mean {{{close}}}?" if close else f"known: {listed}"
                raise UsageError(f"unknown placeholder {{{name}}}", hint=hint)
        self._names.update(pattern.names)
        return pattern


def _as_json(text: str) -> Any:
    if not text.lstrip().startswith(("{", "[")) or _PLACEHOLDER.match(text):
        return text
    try:
        return decode_json(text)
    except WireError as error:
        raise UsageError(f"a frame that begins as JSON does and is none: {text!r}") from error


def _fill(shape: Any, group: list[Binding]) -> Any:
    if isinstance(shape, Pattern):
        text = shape.fill(group[0])
        return int(text) if shape.number else text
    if isinstance(shape, _Each):
        return [_fill(shape.item, [binding]) for binding in group]
    if isinstance(shape, dict):
        return {key: _fill(value, group) for key, value in shape.items()}
    return [_fill(item, group) for item in shape] if isinstance(shape, list) else shape


def _matches(shape: Any, value: Any, found: dict[str, str], items: list[dict[str, str]]) -> bool:
    """Whether a value has a shape; more keys than the shape's are no harm."""
    if isinstance(shape, Pattern):
        return _matches_text(shape, value, found)
    if isinstance(shape, _Each):
        return isinstance(value, list) and all(_matches_item(shape.item, item, items) for item in value)
    if isinstance(shape, dict):
        return isinstance(value, dict) and all(
            key in value and _matches(inner, value[key], found, items) for key, inner in shape.items()
        )
    if isinstance(shape, list):
        return (
            isinstance(value, list)
            and len(value) == len(shape)
            and all(_matches(inner, item, found, items) for inner, item in zip(shape, value, strict=True))
        )
    return type(shape) is type(value) and bool(shape == value)


def _matches_item(shape: Any, value: Any, items: list[dict[str, str]]) -> bool:
    found: dict[str, str] = {}
    if not _matches(shape, value, found, items):
        return False
    items.append(found)
    return True


def _matches_text(pattern: Pattern, value: Any, found: dict[str, str]) -> bool:
    if pattern.number and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    elif pattern.number or not isinstance(value, str):
        return False
    said = pattern.match(value)
    if said is None or any(found.get(name, text) != text for name, text in said.items()):
        return False
    found.update(said)
    return True
