"""What users do, a file for each. A journey is a function of a Visit; a user whose journey is over stays as it is."""

from collections.abc import Callable

from wsctl.load.locust.journeys.bots import bots
from wsctl.load.locust.journeys.channels import channels
from wsctl.load.locust.journeys.churn import churn
from wsctl.load.locust.journeys.prices import prices
from wsctl.load.locust.journeys.returning import returning
from wsctl.load.locust.visit import Visit

KINDS: dict[str, Callable[[Visit], None]] = {
    "prices": prices,
    "channels": channels,
    "bots": bots,
    "churn": churn,
    "returning": returning,
    "several": prices,  # what makes it so is the token that neighbours share
}
