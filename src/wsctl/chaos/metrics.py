"""The proxy's figures in Prometheus' form."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from wsctl.chaos.proxy import Proxy


def registry_of(proxy: Proxy) -> CollectorRegistry:
    """The proxy's figures, and its process's CPU and memory under the names that every program has them."""
    registry = CollectorRegistry()
    registry.register(_ProxyCollector(proxy))
    ProcessCollector(registry=registry)
    return registry


class _ProxyCollector(Collector):
    """Reads the counters when asked; nothing is counted twice."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy

    def collect(self) -> Iterator[Metric]:
        """The figures now."""
        proxy = self._proxy
        yield GaugeMetricFamily("wsctl_chaos_connections", "WebSockets that are open.", value=len(proxy.connections))
        passed = CounterMetricFamily("wsctl_chaos_messages_passed", "Messages that went on.", labels=["direction"])
        for direction in ("down", "up"):
            passed.add_metric([direction], proxy.passed[direction])
        yield passed
        labels = ["fault", "type"]
        matched = CounterMetricFamily("wsctl_chaos_fault_matched", "What a fault was about.", labels=labels)
        applied = CounterMetricFamily("wsctl_chaos_fault_applied", "Times that a fault struck.", labels=labels)
        for fault in proxy.faults:
            matched.add_metric([fault.name, fault.type_name], fault.matched)
            applied.add_metric([fault.name, fault.type_name], fault.applied)
        yield matched
        yield applied
