"""Beds: genuine packages in exact versions, each set in a folder of its own under build/, which git does not see."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from msgspec import Struct

ROOT = Path(__file__).parents[2]
BEDS = ROOT / "build" / "vulnerable"
PROGRAMS = Path(__file__).with_name("programs")
INSTALL_TIMEOUT = 120.0

Index = Literal["npm", "pypi"]


class Bed(Struct, frozen=True):
    """Packages side by side: names to versions."""

    index: Index
    packages: Mapping[str, str]

    @property
    def folder(self) -> Path:
        """Where they are installed."""
        return BEDS / "-".join(f"{name}-{version}" for name, version in self.packages.items())

    def install(self) -> None:
        """Have them in the folder. Raises CalledProcessError where the index does not give them."""
        done = self.folder / ".installed"
        if done.exists():
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        (_install_npm if self.index == "npm" else _install_pypi)(self.folder, dict(self.packages))
        done.touch()

    def command(self, program: str) -> tuple[list[str], dict[str, str]]:
        """The command line of one of `programs/`, and what its environment needs beside the usual."""
        path = str(PROGRAMS / program)
        if self.index == "npm":
            return ["node", path], {"NODE_PATH": str(self.folder / "node_modules")}
        return [sys.executable, path], {"PYTHONPATH": str(self.folder)}


def _install_npm(folder: Path, packages: dict[str, str]) -> None:
    # The overrides reach what packages depend on themselves.
    (folder / "package.json").write_text(json.dumps({"dependencies": packages, "overrides": packages}))
    npm = ["npm", "install", "--silent", "--ignore-scripts", "--no-package-lock", "--no-fund", "--no-audit"]
    subprocess.run(npm, cwd=folder, check=True, timeout=INSTALL_TIMEOUT)


def _install_pypi(folder: Path, packages: dict[str, str]) -> None:
    # What they need is in the environment already: later versions of them are dependencies of ours.
    exact = [f"{name}=={version}" for name, version in packages.items()]
    pip = [sys.executable, "-m", "pip", "install", "-qq", "--no-deps", "--disable-pip-version-check"]
    subprocess.run([*pip, "--target", str(folder), *exact], check=True, timeout=INSTALL_TIMEOUT)
