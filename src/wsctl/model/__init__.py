"""The nouns that flow through every tool: frozen values, no I/O."""
