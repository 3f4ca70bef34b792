from prometheus_client import CollectorRegistry

from serving.retriever.request import RetrieverStats
from serving.telemetry.retrieval import RetrieverCollector


def test_the_retriever_s_stats_are_read_when_asked_for():
    registry = CollectorRegistry()
    stats = [RetrieverStats(waiting=3, index_bytes=2**20, documents=8, searches=5, search_seconds=0.25)]
    registry.register(RetrieverCollector(lambda: stats[0]))

    def value(name: str) -> float:
        return registry.get_sample_value(f"tradewind:retriever_{name}")

    assert [value(name) for name in ("documents_waiting", "index_bytes")] == [3, 2**20]
    assert [value(f"{name}_total") for name in ("documents", "searches", "search_seconds")] == [8, 5, 0.25]
    stats[0] = RetrieverStats()
    assert value("documents_waiting") == 0
