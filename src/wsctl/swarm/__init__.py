"""Many connections from one process: what a crowd of clients lives through, measured. `remote` is the way in."""
