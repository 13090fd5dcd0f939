"""none: nothing numbers the messages (Coinbase's level2, tickers of many feeds).

Proves nothing and objects to nothing: the channel is unverifiable. Its time may still be judged; see checks/inversion.
"""

from wsctl.checks.channel_report import Missing
from wsctl.checks.lane import Lane
from wsctl.model.observation import Observation


class UnnumberedLane(Lane):
    """Counts."""

    __slots__ = ()

    scheme = "none"
    missing = Missing.UNKNOWN
    proves_loss = False

    def settle(self) -> None:
        """There is nothing that could be open."""
        self.settled = True

    def message(self, observation: Observation, reconnected: bool) -> None:
        """Whatever number it may have, it proves nothing."""
        self.pass_over(observation)
