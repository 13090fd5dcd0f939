"""What other load tools are told: the same as `wsctl load`, written as their users write it."""
