"""Sans-I/O sessions: frames in, events out, both ends. Nothing here awaits, sleeps, logs or reads a clock."""
