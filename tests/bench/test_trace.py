import gzip
import json

import pytest

from serving.bench.errors import BenchError
from serving.bench.trace import Replay, TracedRequest, read_trace
from serving.bench.workload import Segment

AZURE = """TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:15:46.6805900,374,44
2023-11-16 18:15:50.9951690,396,109
2023-11-16 18:15:48.6805900,879,55
"""
MOONCAKE = [
    {"timestamp": 1000, "input_length": 1100, "output_length": 50, "hash_ids": [7, 8, 9]},
    {"timestamp": 1500, "input_length": 2048, "output_length": 1, "hash_ids": [7, 8, 10, 11]},
    {"timestamp": 4000, "input_length": 300, "output_length": 200, "hash_ids": [12]},
]


@pytest.fixture
def write(tmp_path):
    def of(content: str | list[dict], compress: bool = False):
        text = content if isinstance(content, str) else "\n".join(map(json.dumps, content)) + "\n"
        file = tmp_path / "trace"
        file.write_bytes(gzip.compress(text.encode()) if compress else text.encode())
        return file

    return of


@pytest.mark.parametrize("compress", [False, True])
def test_azure_s_rows_in_order_of_arrival(write, compress):
    rows = read_trace(write(AZURE, compress))
    assert [(row.input_tokens, row.output_tokens) for row in rows] == [(374, 44), (879, 55), (396, 109)]
    assert [row.arrival for row in rows] == pytest.approx([0, 2.0, 4.314579], abs=1e-6)


@pytest.mark.parametrize("compress", [False, True])
def test_mooncake_s_rows_with_their_blocks(write, compress):
    rows = read_trace(write(MOONCAKE, compress))
    assert rows[0] == TracedRequest(0.0, 1100, 50, (7, 8, 9))
    assert [row.arrival for row in rows] == [0.0, 0.5, 3.0]


def test_times_and_lengths_are_scaled(write):
    sessions = list(Replay(write(AZURE), time_scale=10, length_scale=0.1).sessions(0))
    assert [session.arrival for session in sessions] == pytest.approx([0, 20, 43.14579])
    assert [session.turns[0].prompt[0].tokens for session in sessions] == [37, 88, 40]
    assert [session.turns[0].output_tokens for session in sessions] == [4, 6, 11]
    assert len({session.turns[0].prompt[0].key for session in sessions}) == 3


@pytest.mark.parametrize("scale", [1, 0.1, 0.03, 0.001])
def test_prompts_share_the_beginnings_that_they_share_in_the_trace(write, scale):
    sessions = list(Replay(write(MOONCAKE), length_scale=scale).sessions(0))
    prompts = [session.turns[0].prompt for session in sessions]
    for prompt, row in zip(prompts, MOONCAKE, strict=True):
        assert sum(segment.tokens for segment in prompt) == max(1, round(row["input_length"] * scale))
    shared = sum(segment.tokens for segment, other in zip(prompts[0], prompts[1], strict=False) if segment == other)
    assert shared == min(round(1024 * scale), sum(segment.tokens for segment in prompts[0]))
    assert set(prompts[0]).isdisjoint(prompts[2])


def test_a_block_is_512_tokens_and_the_last_what_is_left(write):
    first, *_ = Replay(write(MOONCAKE)).sessions(0)
    assert first.turns[0].prompt == (Segment("block 7", 512), Segment("block 8", 512), Segment("block 9", 76))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "has no requests|there is no ContextTokens"),
        ("a,b\n1,2\n", "there is no ContextTokens, GeneratedTokens, TIMESTAMP"),
        (AZURE + "2023-11-16 18:15:51,many,3\n", "line 5 is wrong.*many"),
        (AZURE + "yesterday,1,3\n", "line 5 is wrong.*yesterday"),
        ([*MOONCAKE, {"timestamp": 1}], "line 4 is wrong.*input_length"),
        ('{"timestamp": 1', "line 1 is wrong"),
    ],
)
def test_what_is_no_trace_is_refused_with_its_line(write, content, message):
    with pytest.raises(BenchError, match=message):
        read_trace(write(content))


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(BenchError, match=r"nothing\.csv cannot be read"):
        read_trace(tmp_path / "nothing.csv")
    broken = tmp_path / "broken.gz"
    broken.write_bytes(gzip.compress(AZURE.encode())[:40])
    with pytest.raises(BenchError, match=r"broken\.gz cannot be read"):
        read_trace(broken)
