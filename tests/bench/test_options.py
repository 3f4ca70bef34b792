from pathlib import Path

import pytest

from serving.bench.errors import BenchError
from serving.bench.options import BenchOptions
from serving.bench.slo import Slo
from serving.bench.trace import Replay
from serving.bench.workload import Lengths, Workload


def test_without_a_word_eight_are_asked_at_once():
    options = BenchOptions()
    assert (options.loop(), options.slo()) == (8, Slo())
    assert options.workload() == Workload(Lengths(((128, 128),)), Lengths(((64, 64),)))
    assert options.fields() == {"ignore_eos": True}


def test_what_was_said_arrives(tmp_path):
    options = BenchOptions(
        rate=2.5, input_tokens="1-9", output_tokens="4,5", turns="2", think=0.5, prefix_tokens=7, prefixes=3,
        slo_ttft=200, slo_itl=30,
    )  # fmt: skip
    nine, four_or_five, two = Lengths(((1, 9),)), Lengths(((4, 4), (5, 5))), Lengths(((2, 2),))
    assert options.workload() == Workload(nine, four_or_five, two, 7, 3, 0.5, 2.5)
    assert options.loop() is None
    assert (options.slo().ttft, options.slo().itl) == (0.2, 0.03)
    traced = BenchOptions(trace=tmp_path / "t.csv", time_scale=0, length_scale=0.1)
    assert traced.workload() == Replay(tmp_path / "t.csv", 0, 0.1)
    assert traced.loop() is None
    assert BenchOptions(concurrency=3).loop() == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": 1.0, "concurrency": 2}, "--concurrency and --rate exclude each other"),
        ({"rate": 1.0, "trace": "t.csv"}, "--rate and --trace exclude each other"),
        ({"trace": "t.csv", "turns": "2", "prefixes": 2}, "--turns, --prefixes: a trace has its own"),
        ({"length_scale": 0.1}, "--length-scale: there is no --trace"),
        ({"api": "embeddings"}, "--api embeddings: accepted are chat and completions"),
        ({"body": "{"}, "--body '{' is no JSON"),
        ({"body": "[1]"}, r"--body '\[1\]' is no JSON object"),
        ({"output": "no/such/folder/x.json"}, "--output no/such/folder/x.json: there is no folder no/such/folder"),
        ({"input_tokens": "many"}, "--input-tokens: 'many' is no length"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_the_flag_s_name(options, message):
    paths = {name: Path(value) for name, value in options.items() if name in ("trace", "output")}
    with pytest.raises(BenchError, match=message):
        BenchOptions(**options | paths)


def test_the_key_is_in_no_result():
    options = BenchOptions(api_key="hunter2")
    assert "hunter2" not in f"{options.as_json()}{options}"
