"""The tests, and the peers they play with. A package, so that `tests.peers` can be imported and run."""
