"""Client processes that listen to a feed and measure it: what bench.clients compares."""
