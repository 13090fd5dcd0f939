"""Metrics: the vocabulary of named numbers that checks and steps yield, each with its unit and its meaning."""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

Metrics = Mapping[str, float]
"""Measured values by name, in base units. What was not measured is absent, never zero."""


class Unit(StrEnum):
    """Base units; everything inside wsctl and in result.json is in these."""

    SECONDS = "seconds"
    COUNT = "count"
    RATIO = "ratio"
    """0 to 1; people write and read per cent"""
    BYTES = "bytes"
    RATE = "per second"
    CORES = "cores"
    """1.0 is one core fully used"""


class Metric(Struct, frozen=True):
    """One name of the vocabulary."""

    name: str
    unit: Unit
    meaning: str


def _vocabulary() -> Mapping[str, Metric]:
    seconds, count, ratio, size, rate, cores = Unit
    listed = (
        *_percentiles("latency", "received minus the server's timestamp, of updates"),
        *_percentiles(
            "latency.source", "received minus the time when the value was due at its source (simulated prices)"
        ),
        ("messages.received", count, "messages received: updates and snapshots"),
        ("messages.rate", rate, "messages received per second, over the measured time, all clients together"),
        ("messages.bytes", size, "payload of the messages received"),
        ("connections.asked", count, "clients that were to connect"),
        ("connections.opened", count, "clients that ever joined"),
        ("connections.subscribed", count, "clients whose every subscription was served, at least once"),
        (
            "connections.receiving",
            count,
            "clients connected at the end that received since they last subscribed; of a load: at its peak",
        ),
        ("connections.polling", count, "of those, over long-polling"),
        ("connections.peak", count, "most connections open at once"),
        ("connections.refused", count, "attempts that the server refused, for whatever reason"),
        ("connections.evicted", count, "connections closed with reason `evicted`"),
        ("connections.closed", count, "connections that ended without our doing, the evicted ones included"),
        ("connections.rate", rate, "clients that joined per second while they were first connecting"),
        ("connections.limit", count, "the most that kept the bound of --find-limit"),
        ("ordering.gaps", count, "holes in a sequence that were never filled"),
        (
            "ordering.missing",
            count,
            "messages in them; update-ids, or at least one for each hole, where that is all known",
        ),
        ("ordering.duplicates", count, "messages that came again"),
        ("ordering.reorders", count, "messages that came after a later one, inside the window"),
        ("ordering.regressions", count, "falls of the sequence number within one epoch"),
        ("ordering.resets", count, "changes of epoch"),
        ("ordering.skipped", count, "messages declared left out"),
        ("ordering.time_inversions", count, "falls of the server's timestamp while the sequence number rose"),
        ("reconnect.cut", count, "clients that were open, subscribed and receiving, and that the fault cut"),
        ("reconnect.recovered", count, "of those, back in time: open, subscribed, fresh, consistent, and held"),
        ("reconnect.success_rate", ratio, "recovered of cut"),
        ("reconnect.success_rate_lower", ratio, "what that proves: the one-sided 95 % bound (Clopper-Pearson)"),
        ("reconnect.attempts", count, "attempts per recovered client, on average"),
        ("reconnect.detect.p99", seconds, "from the fault to the client's noticing; one that never did is infinite"),
        ("reconnect.stale.p99", seconds, "from the fault to fresh data on every channel: how long a client shows old"),
        ("reconnect.time.p50", seconds, "from the fault to consistent again; a client not back counts as infinite"),
        ("reconnect.time.p95", seconds, "from the fault to consistent again; a client not back counts as infinite"),
        ("reconnect.time.p99", seconds, "from the fault to consistent again; a client not back counts as infinite"),
        ("reconnect.lost", count, "messages between a channel's last before the cut and its first after it"),
        ("reconnect.replayed", count, "messages that were sent while a client was away, and came after all"),
        ("reconnect.duplicated", count, "messages that a client had before the cut, and was sent again"),
        ("reconnect.herd_peak", count, "attempts in the busiest 100 ms"),
        ("reconnect.herd_factor", count, "attempts in the busiest 100 ms over those of an average 100 ms"),
        ("limit.evicted_oldest_first", ratio, "evictions that hit the oldest connection of their user"),
        ("limit.survivors_receiving", ratio, "connections not evicted that received after the last eviction"),
        ("limit.evictions_rate", rate, "evictions per second, over the measured time"),
        ("auth.refused", count, "handshakes refused with `Authentication error`"),
        ("auth.denied", count, "requests refused with access_denied or auth_required"),
        ("acks.ok", count, "acknowledgements that said yes"),
        ("acks.refused", count, "acknowledgements that said no"),
        *_percentiles("connect.time", "from setting out to being let in, of connections that were"),
        *_percentiles("acks.time", "from asking to the acknowledgement"),
        ("fanout.spread.p99", seconds, "from the first to the last client that one message reached"),
        ("fanout.reach", ratio, "clients that a message reached, of those subscribed to its channel all the time"),
        ("silence.max", seconds, "the longest time without a message on any channel listened to"),
        ("staleness.max", seconds, "the longest time that messages came while the server's timestamp stood still"),
        ("clock.skew.max", seconds, "the most that the server's timestamp was ahead of the receipt"),
        ("generator.cpu", cores, "what wsctl's own clients used"),
        ("generator.rss", size, "largest memory of wsctl's own clients"),
        ("generator.lag.p99", seconds, "how late timers of wsctl's own clients fired"),
        ("generator.lost", count, "users of load workers that went missing"),
        ("target.cpu", cores, "what the target used, by its own account (--target-metrics)"),
        ("target.rss", size, "largest memory of the target, by its own account"),
        ("server.cpu", cores, "what the server used; services that wsctl started only"),
        ("server.rss", size, "largest memory of the server; services that wsctl started only"),
        ("tape.records", count, "records on the tape: frames, connections that opened and that closed"),
        ("tape.bytes", size, "the tape's file"),
        ("replay.frames", count, "recorded frames of servers that were played"),
        ("replay.sent", count, "messages that went out to the target for them"),
        *_percentiles("replay.schedule_error", "how much later than due a frame was played"),
        ("fuzz.probes", count, "probes of the catalogue that were judged"),
        ("fuzz.passed", count, "of those, ended as declared, and nothing was harmed"),
        ("fuzz.non_strict", count, "of those, ended without harm, in another way than declared"),
        ("fuzz.failed", count, "of those, harmed the target, or ended in a way that is no safe one"),
        ("fuzz.inconclusive", count, "of those, could not be carried out"),
        ("fuzz.cases", count, "generated cases that were played, those of shrinking included"),
        ("fuzz.failures", count, "generated cases that harmed the target, each as small as it goes"),
        ("fuzz.played", count, "cases that were played one by one, those of probes included"),
        *_percentiles("canary.time", "from a ping of the well-behaved connection beside the hostile ones to its pong"),
        ("errors", count, "attempts that failed, malformed messages, subscriptions that were not served"),
    )
    return {name: Metric(name, unit, meaning) for name, unit, meaning in listed}


def _percentiles(family: str, meaning: str) -> tuple[tuple[str, Unit, str], ...]:
    words = {"p50": "half of all are below", "p95": "95 % are below", "p99": "99 % are below", "max": "the largest"}
    return tuple((f"{family}.{name}", Unit.SECONDS, f"{meaning}: {word}") for name, word in words.items())


METRICS: Mapping[str, Metric] = _vocabulary()
"""Every metric there is, by name."""

_PLATFORMS_OWN = ("auth.", "limit.", "latency.source.", "connections.evicted")


def is_platforms_own(name: str) -> bool:
    """Whether only the platform's own events tell it: no feed in a raw WebSocket dialect has words for that."""
    return name.startswith(_PLATFORMS_OWN)
