"""Talk on stderr, in this process."""

import pytest

from wsctl.cli.console import say


def test_control_characters_are_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    """What a server says cannot steer the terminal; line breaks stay."""
    say("refused:\t\x1b[2Jgone\x07\n  hint")
    assert capsys.readouterr().err == "refused:\t�[2Jgone�\n  hint\n"
