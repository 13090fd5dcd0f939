"""Generated cases: drawn by Hypothesis, which also shrinks what harms. Slow to import."""

import os
import tempfile
from pathlib import Path

# Where Hypothesis keeps what it knows about sources, or it would be the folder that somebody happens to be in.
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(Path(tempfile.gettempdir()) / "wsctl-hypothesis"))
