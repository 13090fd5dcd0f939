"""What the mock feed publishes, one file per service."""
