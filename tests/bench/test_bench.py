"""`tradewind bench` as a user runs it, against the real server."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server_process import ServerProcess

BENCH = [sys.executable, "-m", "serving.cli", "bench"]
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"} | {"COLUMNS": "160"}


def bench(url: str, folder: Path, *flags: object) -> tuple[dict, str]:
    """The results in JSON, and what was printed."""
    output = folder / "results.json"
    command = [*BENCH, "--url", url, "--output", str(output), *map(str, flags)]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(output.read_text()), done.stdout


def check(results: dict, requests: int) -> None:
    """What holds for every run in which all went well."""
    summary, records = results["summary"], results["requests"]
    assert (summary["sent"], summary["succeeded"], summary["unfinished"], summary["errors"]) == (
        requests,
        requests,
        0,
        {},
    )
    assert len(records) == requests
    assert summary["output_tokens"] == sum(record["output_tokens"] for record in records)
    assert summary["input_tokens"] == sum(record["prompt_tokens"] for record in records)
    assert summary["cached_tokens"] == sum(record["cached_tokens"] for record in records)
    assert summary["output_tokens_per_second"] == pytest.approx(summary["output_tokens"] / summary["seconds"])
    for record in records:
        assert 0 < record["ttft"] <= record["finished"] - record["sent"]
        assert record["finished"] <= summary["seconds"]
        assert 0 <= record["cached_tokens"] < record["prompt_tokens"]
    for distribution in (*summary["latencies"].values(), *summary["lengths"].values()):
        p50, p90, p99 = (distribution["percentiles"][quantile] for quantile in ("50", "90", "99"))
        assert p50 <= p90 <= p99 <= distribution["largest"]


def served(server: ServerProcess) -> float:
    """Requests that the server has answered so far."""
    counts = re.findall(r"^vllm:request_success_total\{.*\} (.+)$", server.get("/metrics").text, re.MULTILINE)
    return sum(map(float, counts))


def test_conversations_that_share_a_prefix(server: ServerProcess, tmp_path: Path):
    picture = tmp_path / "run.png"
    results, printed = bench(
        server.url, tmp_path, "--concurrency", 3, "--requests", 12, "--turns", 2, "--prefix-tokens", 64,
        "--input-tokens", "16,40", "--output-tokens", "8-12", "--slo-ttft", 1e6, "--slo-itl", 1e6, "--plot", picture,
    )  # fmt: skip
    check(results, 12)
    summary, records = results["summary"], results["requests"]
    assert 1 <= summary["most_in_flight"] <= 3
    assert summary["good"] == 12
    assert all(8 <= record["output_tokens"] <= 12 and record["finish_reason"] == "length" for record in records)
    later = [record for record in records if record["turn"] == 1]
    assert len(later) == 6
    for record in later:  # the first turn's prompt is cached, in whole pages of 16 tokens
        first = next(r for r in records if (r["session"], r["turn"]) == (record["session"], 0))
        assert record["prompt_tokens"] > first["prompt_tokens"] + first["output_tokens"]
        assert record["cached_tokens"] >= first["prompt_tokens"] // 16 * 16
    assert picture.read_bytes().startswith(b"\x89PNG")
    for expected in ("requests", "12", "of 12 sent", "cached", "goodput", "100.0% of what was sent", "later turns"):
        assert expected in printed


def test_prompts_are_as_long_as_asked_and_the_same_again(server: ServerProcess, tmp_path: Path):
    flags = ("--requests", 6, "--input-tokens", "30,200,400", "--output-tokens", 2, "--seed", 5)
    results, _ = bench(server.url, tmp_path, *flags, "--concurrency", 2)
    again, _ = bench(server.url, tmp_path, *flags, "--rate", 1000, "--api", "chat")
    check(results, 6)
    check(again, 6)

    def lengths(run: dict) -> list[int]:
        return [record["prompt_tokens"] for record in sorted(run["requests"], key=lambda record: record["session"])]

    assert lengths(results) == lengths(again)
    for length in lengths(results):
        nearest = min((30, 200, 400), key=lambda asked: abs(asked - length))
        assert length == pytest.approx(nearest, rel=0.1, abs=12)


def test_a_trace_over_text_completions(server: ServerProcess, tmp_path: Path):
    blocks = [[1, 2, 3], [1, 2, 4], [5], [1, 2, 3]]
    rows = [
        {"timestamp": 100 * i, "input_length": 512 * len(ids), "output_length": 40, "hash_ids": ids}
        for i, ids in enumerate(blocks)
    ]
    trace = tmp_path / "trace.jsonl"
    trace.write_text("\n".join(map(json.dumps, rows)))
    flags = ("--trace", trace, "--length-scale", 0.125, "--time-scale", 20, "--api", "completions", "--seed", 9)
    results, _ = bench(server.url, tmp_path, *flags)
    check(results, 4)
    assert [record["output_tokens"] for record in results["requests"]] == [5] * 4
    lengths = [record["prompt_tokens"] for record in results["requests"]]
    assert lengths == pytest.approx([192, 192, 64, 192], rel=0.1)
    first, second, third, fourth = (record["cached_tokens"] for record in results["requests"])
    assert first == third == 0
    assert 0.8 * 128 <= second <= 1.2 * 128 < fourth  # two blocks, and then all


def test_requests_that_do_not_fit_are_cut_and_others_are_errors(server: ServerProcess, tmp_path: Path):
    output = tmp_path / "results.json"
    command = [*BENCH, "--url", server.url, "--requests", "3", "--input-tokens", "5000", "--output", str(output)]
    cut = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert cut.returncode == 0, cut.stderr
    assert "3 sessions cut to the context of" in cut.stderr
    command += ["--body", '{"max_tokens": 100000}']
    refused = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "answered with status 400" in refused.stderr and "maximum context length" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_picture_of_failures_alone(tmp_path: Path, server: ServerProcess):
    picture = tmp_path / "run.svg"
    command = [*BENCH, "--url", server.url, "--requests", "4", "--timeout", "0.1", "--output-tokens", "500"]
    done = subprocess.run(
        [*command, "--plot", str(picture)], env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "error: timeout" in done.stdout
    assert b"<svg" in picture.read_bytes()


def test_ctrl_c_reports_what_there_is(server: ServerProcess):
    command = [*BENCH, "--url", server.url, "--requests", "100000", "--output-tokens", "20", "--seconds", "600"]
    with subprocess.Popen(
        command,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored in what a shell starts with &
    ) as process:
        try:
            announced = process.stderr.readline()
            assert "100,000 requests" in announced
            before = served(server)
            while served(server) < before + 10:
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            printed, noted = process.communicate(timeout=60)
        finally:
            process.kill()
    assert "stopped" in noted and "Traceback" not in noted
    assert "cut off at the end" in printed and "time to first token" in printed


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--url", "http://127.0.0.1:9"), "error: no server answers at http://127.0.0.1:9"),
        (("--url", "nowhere"), "error: 'nowhere' is no address of a server"),
        (("--rate", "2", "--concurrency", "3"), "error: --concurrency and --rate exclude each other"),
        (("--trace", "/no/such/trace.csv"), "error: the trace /no/such/trace.csv cannot be read"),
        (("--plot", "run.xyz"), "error: --plot run.xyz: the name's ending says the format"),
    ],
)
def test_a_mistake_is_one_message_and_status_2(flags, message):
    done = subprocess.run([*BENCH, *flags], env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(message) and done.stderr.count("\n") == 1
    assert done.stdout == ""
