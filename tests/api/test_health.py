from prometheus_client.parser import text_string_to_metric_families

from serving.engine.request import EngineStats
from serving.fleet.replica import ReplicaState
from serving.process.progress import StartupProgress

NAMES = """
vllm:time_to_first_token_seconds vllm:inter_token_latency_seconds vllm:request_time_per_output_token_seconds
vllm:e2e_request_latency_seconds vllm:request_queue_time_seconds vllm:request_prefill_time_seconds
vllm:request_decode_time_seconds vllm:request_inference_time_seconds vllm:num_requests_running
vllm:num_requests_waiting vllm:kv_cache_usage_perc vllm:prefix_cache_queries vllm:prefix_cache_hits
vllm:num_preemptions vllm:prompt_tokens vllm:generation_tokens vllm:request_success
""".split()


async def test_alive_whatever_the_engine_does(bench):
    b = bench()
    b.replica.state = ReplicaState.DOWN
    response = await b.http.get("/health")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_ready_when_requests_are_served(bench):
    b = bench()
    progress = {"stage": "ready", "done": 1, "total": 1, "message": ""}
    response = await b.http.get("/ready")
    assert (response.status_code, response.json()) == (200, {"status": "ready", "model": "tiny", "progress": progress})


async def test_not_ready_says_how_far_it_is(bench):
    b = bench()
    b.replica.state = ReplicaState.STARTING
    b.replica.progress = StartupProgress("compiling", 3, 9, "programs")
    response = await b.http.get("/ready")
    assert (response.status_code, response.headers["retry-after"]) == (503, "7")
    answer = response.json()
    assert answer["status"] == "starting"
    assert answer["progress"] == {"stage": "compiling", "done": 3, "total": 9, "message": "programs"}
    assert answer["error"]["code"] == "server_is_overloaded"
    assert (await b.chat()).status_code == 503


async def test_metrics_have_vllms_names(bench):
    b = bench("hello world")
    b.replica.stats = EngineStats(running=2)
    await b.chat()
    await b.complete(max_tokens=1)
    response = await b.http.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=")
    families = {family.name: family for family in text_string_to_metric_families(response.text)}
    assert set(NAMES) <= families.keys()
    samples = {
        (sample.name, sample.labels.get("finished_reason")): sample.value
        for family in families.values()
        for sample in family.samples
        if sample.labels["model_name"] == "tiny"
    }
    assert samples["vllm:num_requests_running", None] == 2
    assert samples["vllm:generation_tokens_total", None] == 4
    assert samples["vllm:request_success_total", "stop"] == 1
    assert samples["vllm:request_success_total", "length"] == 1
    assert samples["vllm:time_to_first_token_seconds_count", None] == 2


async def test_each_app_counts_for_itself(bench):
    first, second = bench(), bench()
    await first.chat()
    assert 'vllm:generation_tokens_total{model_name="tiny"} 0.0' in (await second.http.get("/metrics")).text
