"""How much CPU `wsctl --help` takes, against a bare Typer app with as many commands, in one run.

python -m bench.startup
"""

import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from wsctl.cli.app import app

ROUNDS = 25
TARGET = 1.3

BARE = """
import typer

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)


@app.callback()
def root(): "A bare app."


{commands}
app()
"""

COMMAND = """
@app.command("{name}")
def {name}(value: str = "x", number: int = 1): "Do {name}."
"""


def main() -> None:
    """Time both in turns and print medians and the ratio."""
    names = [f"command{number}" for number in range(len(app.registered_commands))]
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "bare.py"
        bare.write_text(BARE.format(commands="".join(COMMAND.format(name=name) for name in names)))
        contenders = {
            "bare Typer": [sys.executable, str(bare), "--help"],
            "wsctl": [sys.executable, "-m", "wsctl", "--help"],
        }
        seconds: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(ROUNDS):
            for name, command in contenders.items():
                seconds[name].append(_cpu(command))
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, median in medians.items():
        print(f"{name:12} {median * 1000:6.1f} ms  (median of {ROUNDS})")
    ratio = medians["wsctl"] / medians["bare Typer"]
    print(f"wsctl ≤ {TARGET} × bare Typer: {ratio:.2f}  {'met' if ratio <= TARGET else 'missed'}")


def _cpu(command: list[str]) -> float:
    """CPU seconds of the child: the wall clock would measure what else the machine does."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
