"""A proxy that harms a stream on purpose, message by message."""
