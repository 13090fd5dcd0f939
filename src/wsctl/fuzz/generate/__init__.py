"""Generated cases: drawn by Hypothesis, which also shrinks what harms. Slow to import."""
