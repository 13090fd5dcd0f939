"""Reports for people as text: Rich's own way to stdout knows nothing of readers that leave and disks that fill."""

import io
import shutil
import sys

from rich.console import Console, RenderableType


def drawn(report: RenderableType, *, piped_width: int) -> str:
    """A report as wide as the terminal, in its colours; elsewhere plain, and so many columns wide.

    What a report wants to have on one line, such as a command to be copied, may be longer.
    """
    terminal = sys.stdout.isatty()
    drawing = io.StringIO()
    width = shutil.get_terminal_size().columns if terminal else piped_width
    Console(file=drawing, width=width, force_terminal=terminal).print(report, crop=False)
    return drawing.getvalue().rstrip("\n")
