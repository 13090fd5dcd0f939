"""Chance: what the seed decides about a connection, each of its directions by itself."""

from collections import Counter
from random import Random


class Chance:
    """Dice of a fault for one connection, made of a seed alone.

    Each direction, and the door, has dice and a count of its own: what passes in one does not change what is decided in
    another.
    """

    def __init__(self, seed: str, share: float) -> None:
        """`share`: of the connections, that are meant at all."""
        self.is_meant = Random(seed).random() < share  # noqa: S311 - a seed is the point
        self.counts: Counter[str] = Counter()
        """what matched, by direction"""
        self._seed = seed
        self._dice: dict[str, Random] = {}

    def dice(self, of: str) -> Random:
        """Those of a direction."""
        dice = self._dice.get(of)
        if dice is None:
            dice = self._dice[of] = Random(f"{self._seed} {of}")  # noqa: S311 - a seed is the point
        return dice
