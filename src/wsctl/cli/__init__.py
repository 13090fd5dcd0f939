"""The command line: one file per command; each parses, builds, runs and exits."""
