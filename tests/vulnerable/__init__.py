"""Whether the oracle can fail: probes against servers that had the bug, and those in which it was mended."""
