"""How results are shown: listeners to what the engines yield."""
