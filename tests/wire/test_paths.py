"""Paths: fast where they only step into a message, and always what the library finds."""

from typing import Any

import jmespath
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jmespath.exceptions import JMESPathError

from tests.wire.strategies import JSON
from wsctl.errors import UsageError
from wsctl.wire.paths import compile_path

STEPS = st.sampled_from(
    ["a", "b", "a.b", "[0]", "[-1]", "a[1]", "@", "`1`", "`true`", "'x'", "a[].b", "max(a)", "a | b"]
)
PATHS = st.recursive(
    STEPS,
    lambda paths: st.builds(
        "{} {} {}".format, paths, st.sampled_from(["&&", "||", "==", "!=", "<"]), paths.map("({})".format)
    ),
    max_leaves=4,
)
MESSAGES = st.recursive(
    st.sampled_from([None, True, False, 0, 1, "", "x", [], {}]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b"]), inner),
)


@given(PATHS, MESSAGES)
def test_finds_what_the_library_finds(path: str, message: Any) -> None:
    try:
        known = jmespath.search(path, message)
    except (JMESPathError, TypeError):  # 'x' < 1: the library lets Python's own error out
        known = None
    assert compile_path(path)(message) == known


@given(st.text() | st.text(alphabet="ab.[]()0'`|&=@*{}:,"))
def test_a_path_is_refused_or_searches(path: str) -> None:
    try:
        search = compile_path(path)
    except UsageError:
        return
    search({"a": [1, {"b": "x"}]})


@given(JSON)
def test_what_cannot_be_applied_finds_nothing(message: Any) -> None:
    compile_path("abs(@)")(message)
    compile_path("ceil(to_number(@))")(message)
    compile_path("max([].a[].b)")(message)
    compile_path("sort_by(@, &a)")(message)


MISTAKES = [
    ("", "bad path '': it is empty"),
    ("a..b", "bad path 'a..b': '.' makes no sense at column 3"),
    ("a[", "bad path 'a[': it ends too early"),
    ("a.$", "bad path 'a.$': '$' makes no sense at column 3"),
    ("tonumber(a)", "bad path 'tonumber(a)': there is no function 'tonumber'\nhint: did you mean to_number?"),
    ("a || frob(b)", "bad path 'a || frob(b)': there is no function 'frob'"),
    ("max(a, b)", "bad path 'max(a, b)': max() takes 1 argument, not 2"),
]


@pytest.mark.parametrize(("path", "message"), MISTAKES)
def test_mistakes(path: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        compile_path(path)
    assert str(caught.value).startswith(message)
