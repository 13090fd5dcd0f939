"""Where tapes are played to: servers that stand in for a recorded feed, targets, stdout. One file each."""
