"""serve's config file: every option under the name it has on the command line."""

from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from wsctl.cli.app import app
from wsctl.cli.serve import AROUND
from wsctl.cli.serve_config import serve_options
from wsctl.server.options import ServeOptions


def test_every_option_is_a_key(tmp_path: Path) -> None:
    """What `wsctl serve --help` names, underscored, with its own default."""
    command = get_command(app).commands["serve"]  # type: ignore[attr-defined]
    names = {parameter.name for parameter in command.params} - AROUND - {"help"}
    file = tmp_path / "serve.yaml"
    values = {
        "symbols": "A/B",
        "cors_origin": "http://app.example",
        "auth": "required",
        "limit_policy": "reject-newest",
        "transports": "polling",
    }
    values |= dict.fromkeys(("ping_interval", "ping_timeout", "connect_timeout"), "9s")
    values |= {"host": "h", "prices": "p", "jwt_secret": "s", "tls_cert": "c", "tls_key": "k", "throttle": "1s"}
    flags = {"price_loop", "accept_any_token", "conformance", "compress", "control"}
    for name in names:
        file.write_text(f"{name}: {'true' if name in flags else values.get(name, 7)}\n")
        assert serve_options(file, {}) != ServeOptions(), name


@pytest.mark.parametrize(
    ("yaml", "chosen", "field", "value"),
    [
        ("cors_origin: http://a.example", {}, "cors_origin", ("http://a.example",)),
        (
            "cors_origin: [http://a.example, http://b.example]",
            {},
            "cors_origin",
            ("http://a.example", "http://b.example"),
        ),
        (
            "cors_origin: http://a.example",
            {"cors_origin": ("http://c.example",)},
            "cors_origin",
            ("http://c.example",),
        ),
        ("symbols: A/B,C/D", {}, "symbols", ("A/B", "C/D")),
        ("throttle: 100ms", {}, "throttle", 0.1),
        ("auth: required", {}, "auth", "required"),
        ("rate: 5", {"rate": 6.0}, "rate", 6.0),
        ("", {"auth": "required"}, "auth", "required"),
    ],
)
def test_values(tmp_path: Path, yaml: str, chosen: dict[str, Any], field: str, value: Any) -> None:
    """Lists are lists or one text, durations have units, and the command line wins."""
    file = tmp_path / "serve.yaml"
    file.write_text(yaml)
    assert getattr(serve_options(file, chosen), field) == value
