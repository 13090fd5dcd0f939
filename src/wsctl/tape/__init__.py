"""Recorded streams: the format (docs/tape.md), its writer and reader, and importers of what others recorded."""
