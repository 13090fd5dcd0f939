"""Benchmarks: wsctl beside its peers, all contenders measured in one run (see README.md)."""
