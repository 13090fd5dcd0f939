"""Files, folders and tags that are not there or do not go together; and how the program says what is wrong."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cli.program import wsctl
from tests.scenario.texts import HEAD, STEP, during, expect
from wsctl.errors import UsageError
from wsctl.scenario.read import read_scenarios

USAGE = 2


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with some files."""
    (tmp_path / "latency.yaml").write_text(HEAD + "tags: [quick]\n" + STEP)
    (tmp_path / "same.yml").write_text(HEAD + STEP)
    (tmp_path / "none.yaml").write_text("name: N\n" + STEP)
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("nothing\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def complaint(paths: Sequence[str], tags: Sequence[str] = ()) -> tuple[str, str | None]:
    """What is said of them: message and hint."""
    with pytest.raises(UsageError) as caught:
        read_scenarios([Path(path) for path in paths], {}, tags)
    return caught.value.message, caught.value.hint


@pytest.mark.parametrize(
    ("paths", "message", "hint"),
    [
        (["latncy.yaml"], "there is no latncy.yaml", "did you mean latency.yaml?"),
        (["zebra"], "there is no zebra", None),
        (["no/where.yaml"], "there is no no/where.yaml", None),
        (["empty"], "no scenario in empty; expected files that end in .yaml or .yml", None),
        (
            ["latency.yaml", "same.yml"],
            "same.yml:1:7: scenario 'N' is there twice; first in latency.yaml:1:7",
            None,
        ),
        (
            ["latency.yaml", "latency.yaml"],
            "latency.yaml:1:7: scenario 'N' is there twice; first in latency.yaml:1:7",
            None,
        ),
        (["latin.yaml"], "latin.yaml is not UTF-8 text: byte 9 makes no sense", None),
        (["."], "latin.yaml is not UTF-8 text: byte 9 makes no sense", None),
    ],
)
def test_files(folder: Path, paths: list[str], message: str, hint: str | None) -> None:
    """What cannot be found or read, with the nearest that is there."""
    assert complaint(paths) == (message, hint)


def test_tags(folder: Path) -> None:
    """A tag that no scenario has would otherwise be a run of nothing."""
    assert complaint(["latency.yaml"], ["quik"]) == ("no scenario has the tag 'quik'", "did you mean quick?")
    assert complaint(["latency.yaml"], ["x"]) == ("no scenario has the tag 'x'", "there are: quick")
    assert complaint(["same.yml"], ["x"]) == ("no scenario has the tag 'x'", None)


PROGRAM: dict[str, tuple[str, str | None]] = {
    "run latncy.yaml": ("there is no latncy.yaml", "did you mean latency.yaml?"),
    "run latency.yaml --tag quik": ("no scenario has the tag 'quik'", "did you mean quick?"),
    "run none.yaml": ("none.yaml has no services, and there is no --url", "it takes one or the other"),
    "run none.yaml --dry-run": ("none.yaml has no services, and there is no --url", "it takes one or the other"),
    "run metric.yaml": ("metric.yaml:7:14: unknown metric 'latency.p59'", "did you mean latency.p99?"),
    "run short.yaml": (
        "short.yaml:6:39: the step is too short: duration is 10s; expected more than 11s, when pause happens",
        None,
    ),
    "run empty": ("no scenario in empty; expected files that end in .yaml or .yml", None),
    "run latency.yaml --wait 1s": ("--wait is about a target; expected --url or --feed as well", "wsctl run --help"),
    "run latency.yaml --repeat 0": ("--repeat: 0 is not in the range x>=1", "wsctl run --help"),
    "run latency.yaml --timeout 5": (
        "--timeout: bad duration '5'; expected a number and a unit, such as 500ms, 10s or 2m",
        "wsctl run --help",
    ),
    "run latency.yaml --out latin.yaml": ("cannot make the folder latin.yaml: file exists", None),
    "schema xml": (
        "'xml' has no schema; expected scenario, result, load, load-result, fuzz-result",
        "wsctl schema --help",
    ),
}


def test_program(folder: Path) -> None:
    """One sentence on stderr, exit 2, nothing on stdout, nothing started."""
    (folder / "metric.yaml").write_text(expect("{latency.p59: < 50 ms}"))
    (folder / "short.yaml").write_text(during("{at: 11s, pause: {}}"))
    for line, (message, hint) in PROGRAM.items():
        result = wsctl(*line.split())
        said = f"wsctl: error: {message}\n" + (f"  hint: {hint}\n" if hint else "")
        assert (result.err, result.out, result.code) == (said, "", USAGE), line


def test_what_is_wrong_last_is_said_before_anything_starts(folder: Path) -> None:
    """The first scenario is sound; it is not run."""
    (folder / "zzz.yaml").write_text(HEAD.replace("name: N", "name: Z") + "steps: []\n")
    result = wsctl("run", "latency.yaml", "zzz.yaml", "--out", "results", cwd=folder)
    assert result.err == "wsctl: error: zzz.yaml:4:8: steps has 0 entries; expected at least 1 entry\n"
    assert result.code == USAGE
    assert not (folder / "results").exists()


def test_a_list_takes_no_environment_and_a_tag_no_more_than_its_own(folder: Path) -> None:
    """What is not asked for need not make sense, nor its variables be set."""
    (folder / "open.yaml").write_text(HEAD.replace("name: N", "name: With ${NOBODY_SET_THIS}") + STEP)
    listed = wsctl("run", "open.yaml", "latency.yaml", "--list", cwd=folder)
    assert listed.out == "open.yaml     With ${NOBODY_SET_THIS}\nlatency.yaml  N  [quick]\n"
    tagged = wsctl("run", "open.yaml", "latency.yaml", "--tag", "quick", "--dry-run", cwd=folder)
    assert (tagged.code, tagged.err) == (0, "")
    assert "NOBODY" not in tagged.out
