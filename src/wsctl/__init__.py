"""wsctl: stand in for, watch and test real-time trading feeds."""

__version__ = "0.1.0"
