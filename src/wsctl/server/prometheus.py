"""GET /metrics: the mock feed's metrics in Prometheus form."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from wsctl.server.metrics import resident_memory

if TYPE_CHECKING:
    from wsctl.server.endpoint import Endpoint


def metrics_route(platform: "Endpoint") -> Route:
    """The endpoint."""
    registry = CollectorRegistry()
    registry.register(PlatformCollector(platform))
    ProcessCollector(registry=registry)  # CPU and memory under the names that every program has them

    async def metrics(request: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return Route("/metrics", metrics)


class PlatformCollector(Collector):
    """Reads the platform's counters when asked; nothing is counted twice."""

    def __init__(self, platform: "Endpoint") -> None:
        self._platform = platform

    def collect(self) -> Iterator[Metric]:
        """The metrics now."""
        platform, counters = self._platform, self._platform.counters
        connections = GaugeMetricFamily("wsctl_connections", "Clients that are connected.", labels=["transport"])
        by_transport = {"websocket": 0, "polling": 0}
        for client in platform.clients.values():
            by_transport[client.transport] += 1
        for transport, count in by_transport.items():
            connections.add_metric([transport], count)
        yield connections
        totals = {
            "wsctl_messages_delivered": ("Messages handed to connections.", platform.hub.delivered),
            "wsctl_messages_skipped": ("Messages left out for readers that were behind.", platform.hub.skipped),
            "wsctl_events_received": ("Events received from clients.", counters.events),
            "wsctl_joins": ("Clients that joined.", counters.joined),
            "wsctl_reconnections": ("Joins by a client id that was here before.", counters.reconnected),
            "wsctl_refusals": ("Clients that were not let in.", counters.refused),
            "wsctl_evictions": ("Clients that had to go for a newer one of their user.", counters.evicted),
            "wsctl_slow_closes": ("Connections closed because they did not read.", counters.slow),
            "wsctl_malformed": ("Connections closed because they broke the protocol.", counters.malformed),
        }
        for name, (meaning, value) in totals.items():
            yield CounterMetricFamily(name, meaning, value=value)
        late = "How late the event loop ran a timer, at worst, in the last second."
        yield GaugeMetricFamily("wsctl_loop_lag_seconds", late, value=counters.loop_lag)
        memory = resident_memory()
        if memory is not None:
            yield GaugeMetricFamily("wsctl_resident_memory_bytes", "Resident memory.", value=memory)
