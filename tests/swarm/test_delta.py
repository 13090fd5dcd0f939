"""What processes counted, added up."""

from wsctl.swarm.delta import MOST_CAUSES, OTHER_CAUSES, Delta, Sums
from wsctl.swarm.tally import Counts


def test_words_that_are_others_each_time_do_not_fill_the_memory() -> None:
    counts = Counts()
    for number in range(MOST_CAUSES + 50):
        counts.causes.blame(f"request {number} was refused")
    counts.causes.blame("request 0 was refused")
    assert len(counts.causes) == MOST_CAUSES + 1
    assert counts.causes["request 0 was refused"] == 2
    assert counts.causes[OTHER_CAUSES] == 50


def test_nor_do_those_of_many_processes_and_none_is_lost() -> None:
    sums = Sums()
    for process in range(3):
        sums.add(Delta(causes={f"{process}: {number}": 2 for number in range(MOST_CAUSES)} | {OTHER_CAUSES: 7}))
    assert len(sums.causes) == MOST_CAUSES + 1
    assert sum(sums.causes.values()) == 3 * (2 * MOST_CAUSES + 7)
