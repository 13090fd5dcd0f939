"""What others recorded, read as if it were a tape of ours: one file for each of their formats."""
