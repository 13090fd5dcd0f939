"""The contenders of bench.fanout that are not wsctl: small servers that emit the same price to one room."""
