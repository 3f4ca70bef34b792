import pytest
from prometheus_client import CollectorRegistry

from serving.engine.request import EngineStats, Timings
from serving.telemetry.metrics import EngineCollector, RequestMetrics


@pytest.fixture
def registry():
    return CollectorRegistry()


def value(registry, name, **labels):
    return registry.get_sample_value(f"vllm:{name}", {"model_name": "m"} | labels)


def test_engine_stats_are_read_when_asked_for(registry):
    stats = [EngineStats(running=3, waiting=2, pages_used=8, pages_total=32, prefix_queries=90, prefix_hits=60)]
    registry.register(EngineCollector("m", lambda: stats[0]))
    assert value(registry, "num_requests_running") == 3
    assert value(registry, "num_requests_waiting") == 2
    assert value(registry, "kv_cache_usage_perc") == 0.25
    assert value(registry, "prefix_cache_queries_total") == 90
    assert value(registry, "prefix_cache_hits_total") == 60
    stats[0] = EngineStats(preemptions=4)
    assert value(registry, "num_preemptions_total") == 4
    assert value(registry, "kv_cache_usage_perc") == 0


def test_a_requests_times_are_measured_from_its_arrival(registry):
    record = RequestMetrics(registry, "m").begin(10, now=100.0)
    record.tokens(0, now=101.0)
    record.tokens(1, now=102.0)
    record.tokens(2, now=103.0)
    record.end("stop", now=104.0, timings=Timings(arrived=0.0, scheduled=1.0, first_token=3.0, finished=7.0))
    sums = {
        "time_to_first_token_seconds": 2.0,
        "inter_token_latency_seconds": 1.0,  # half a second for each of two tokens
        "request_time_per_output_token_seconds": 0.5,
        "e2e_request_latency_seconds": 4.0,
        "request_queue_time_seconds": 1.0,
        "request_prefill_time_seconds": 2.0,
        "request_decode_time_seconds": 4.0,
        "request_inference_time_seconds": 6.0,
    }
    assert {name: value(registry, f"{name}_sum") for name in sums} == sums
    assert value(registry, "inter_token_latency_seconds_count") == 2
    assert value(registry, "prompt_tokens_total") == 10
    assert value(registry, "generation_tokens_total") == 3
    assert value(registry, "request_success_total", finished_reason="stop") == 1


def test_a_request_without_a_token_has_no_latency(registry):
    RequestMetrics(registry, "m").begin(10, now=0.0).end("abort", now=9.0)
    assert value(registry, "e2e_request_latency_seconds_count") == 0
    assert value(registry, "request_success_total", finished_reason="abort") == 1
