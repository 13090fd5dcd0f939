"""YAML with places: plain data, where each of it stands, and what can be wrong."""

import math
from pathlib import Path

import pytest

from wsctl.errors import UsageError
from wsctl.spec.document import Mark, check_keys
from wsctl.spec.loader import load_yaml, read_yaml

TEXT = """\
name: A flash
tags: [a, b]
steps:
  - subscribe: {symbols: [BTC/USDT, ON, no], duration: 1:30}
    at: 2026-01-02
  - {rate: 20, ratio: 0.5, on: true, none: , 42: x, "quoted": "1"}
"""


def test_data_is_plain_and_texts_stay_texts() -> None:
    assert load_yaml(TEXT, "s.yaml").data == {
        "name": "A flash",
        "tags": ["a", "b"],
        "steps": [
            {"subscribe": {"symbols": ["BTC/USDT", "ON", "no"], "duration": "1:30"}, "at": "2026-01-02"},
            {"rate": 20, "ratio": 0.5, "on": True, "none": None, "42": "x", "quoted": "1"},
        ],
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("TRUE", True),
        ("yes", "yes"),
        ("010", 10),
        ("0x1F", 31),
        ("0o17", 15),
        ("-3", -3),
        ("1_000", "1_000"),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-.inf", -math.inf),
        ("1.2.3", "1.2.3"),
        ("'true'", "true"),
        ("!!str 5", "5"),
        ('{"json": [1, null]}', {"json": [1, None]}),
    ],
)
def test_scalars(text: str, value: object) -> None:
    assert load_yaml(text, "f").data == value


def test_places() -> None:
    document = load_yaml(TEXT, "s.yaml")
    assert document.keys["steps",] == Mark(3, 1)
    assert document.keys["steps", 0, "at"] == Mark(5, 5)
    assert document.values["steps", 0, "at"] == Mark(5, 9)
    assert document.where(("steps", 0, "subscribe", "symbols", 1)) == "s.yaml:4:37"
    assert document.where(("steps", 0, "missing", "deeper")) == "s.yaml:4:5", "the nearest thing that is there"
    assert document.where(()) == "s.yaml:1:1"
    assert str(document.key_error(("name",), "no", hint="h")) == "s.yaml:1:1: no\nhint: h"
    assert str(document.value_error(("name",), "no")) == "s.yaml:1:7: no"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "f:3:1: key 'a' is given twice; first on line 1"),
        ("a: [1", "f:1:6: expected ',' or ']', but got '<stream end>', while parsing a flow sequence"),
        ("a: b: c", "f:1:5: mapping values are not allowed here"),
        ("\ta: 1", "f:1:1: found character '\\t' that cannot start any token, while scanning for the next token"),
        ("a: 1\n---\nb: 2", "f:2:1: but found another document, expected a single document in the stream"),
        ("a: *b", "f:1:4: found undefined alias 'b'"),
        ("a: &x [*x]", "f:1:4: an alias that contains itself"),
        ("? [a]\n: b", "f:1:3: a key that is not a text"),
        ("a: &x {b: 1}\nc: {<<: *x}", "f:2:5: merge keys (<<) are not read; repeat the keys, or use an alias"),
        ("a: !!python/object:os.system x", "f:1:4: unknown tag tag:yaml.org,2002:python/object:os.system"),
        ("a: !mine {}", "f:1:4: unknown tag !mine"),
        ("a: !!int x", "f:1:4: 'x' does not fit its type"),
        ("a: " + "9" * 5000, "f:1:4: '" + "9" * 40 + "' does not fit its type"),
        ("[" * 5000, "f:1:1: nested too deeply"),
    ],
)
def test_what_can_be_wrong(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_yaml(text, "f")
    assert caught.value.message == message


def test_control_characters() -> None:
    with pytest.raises(UsageError, match="f:1:1: not YAML: unacceptable character"):
        load_yaml("a: \x00", "f")


def test_a_few_lines_cannot_stand_for_billions() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    with pytest.raises(UsageError, match="more than 100,000 values"):
        load_yaml("\n".join(lines), "f")


def test_known_keys() -> None:
    document = load_yaml("feeds:\n  a: {tokn: x, zzz: y}\n", "f")
    with pytest.raises(UsageError) as caught:
        check_keys(document, ("feeds", "a"), ("url", "token"))
    assert str(caught.value) == "f:2:7: unknown key 'tokn' in feeds.a\nhint: did you mean token?"
    with pytest.raises(UsageError) as caught:
        check_keys(document, ("feeds", "a"), ("tokn", "url"))
    assert str(caught.value) == "f:2:16: unknown key 'zzz' in feeds.a\nhint: known: tokn, url"
    assert check_keys(document, ("feeds",), ("a",)) == {"a": {"tokn": "x", "zzz": "y"}}
    with pytest.raises(UsageError, match=r"f:2:13: feeds\.a\.tokn is a text; expected a mapping of keys"):
        check_keys(document, ("feeds", "a", "tokn"), ())


def test_files(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    with pytest.raises(UsageError, match=r"s\.yaml cannot be read: no such file"):
        read_yaml(file, shown="s.yaml")
    file.write_bytes(b"a: \xff")
    with pytest.raises(UsageError, match=r"s\.yaml is not UTF-8 text: byte 3"):
        read_yaml(file, shown="s.yaml")
    file.write_text("a: é", encoding="utf-8")
    assert read_yaml(file).data == {"a": "é"}
