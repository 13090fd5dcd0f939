"""What comes of a load: figures out of what was counted, the verdict on them, and the result that is written."""
