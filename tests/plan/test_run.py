"""`tradewind plan` from options to what is printed."""

import io
import json

import pytest
from rich.console import Console

from serving.models.folder import EMBEDDED_MODEL
from serving.plan.errors import PlanError
from serving.plan.options import PlanOptions
from serving.plan.run import plan
from sharding.chips import CHIPS


def printed(**options) -> tuple[bool, str]:
    """What a run returns and prints, as one line of words."""
    out = io.StringIO()
    good = plan(PlanOptions(estimate=True, **options), Console(file=out, width=200), Console(quiet=True))
    return good, " ".join(out.getvalue().split())


def test_a_plan_that_fits():
    good, text = printed(model="llama3-8b", topology="v6e:2x4")
    assert good
    assert "llama3-8b on v6e:2x4 (1 x ct6e-standard-8t), $21.60 an hour, mesh tensor=8, bfloat16" in text
    assert "fits: 16 streams of 8,192 tokens need 131,072 tokens of cache, the pool holds" in text
    assert "weights 2.01 " in text
    assert "to read the cache 1.31 2.15 GB" in text
    assert "at most 407.0 tokens/s a stream, 6,513 in all" in text
    assert "collectives of a decode step, estimated" in text and "all-reduce 65 8.5 14.9 all-gather 1 4.1 3.6" in text
    assert "temporaries and collectives are estimates: as --estimate says" in text
    assert "cheapest for 16 streams of 8,192 tokens" in text


def test_a_plan_that_does_not_fit_says_by_how_much_and_what_would():
    good, text = printed(model="llama3-70b", topology="v5e:2x4")
    assert not good
    assert "does not fit: 17.6 GB of weights + 5.4 GB of cache + " in text
    assert "> 17.2 GB x 0.9 on each device, for 16 streams of 8,192 tokens" in text
    assert "would fit: --weights int8" in text
    assert "would fit: --topology v5e:4x4 --mesh tensor=16" in text


def test_without_a_topology_the_cheapest_are_looked_for():
    good, text = printed(model="llama3-8b", tokens_per_second=100.0, ttft=50.0, efficiency=0.5)
    assert good
    assert (
        "cheapest for 16 streams of 8,192 tokens, 100 tokens/s each, first tokens of 512 within 50 ms, at 50% of the "
        "roofline" in text
    )
    good, text = printed(model="llama3-8b", tokens_per_second=1e6)
    assert not good and "no topology that is known serves 16 streams" in text


def test_a_folder_needs_no_more_than_a_config(tmp_path):
    (tmp_path / "config.json").write_bytes((EMBEDDED_MODEL / "config.json").read_bytes())
    good, text = printed(model=str(tmp_path), topology="l4:1", context=1024)
    assert good and text.startswith(f"{tmp_path.name} on l4:1 (1 x g2-standard-12), $1.00 an hour, mesh tensor=1")


def test_programs_get_json(capsys):
    assert plan(
        PlanOptions(model="mixtral-8x7b", topology="h100:2", mesh="expert=2", json=True), Console(), Console(quiet=True)
    )
    report = json.loads(capsys.readouterr().out)
    found = report["plan"]
    assert report["demand"] == {"streams": 16, "context": 8192, "prompt": 512, "step_tokens": 512, "page_size": 0}
    assert found["memory_per_device"]["page_size"] == 16
    assert found["fits"] and found["machines"] == {"count": 1, "type": "a3-highgpu-2g"}
    assert found["mesh"] == {"data": 1, "pipeline": 1, "expert": 2, "sequence": 1, "tensor": 1}
    assert found["memory_per_device"]["weights"] == 2 * (45_097_156_608 // 2 + 1_605_636_096)
    assert found["decode_step"]["bound_by"] == "memory"
    assert found["tokens_per_second"] == pytest.approx(1 / found["decode_step"]["at_least"])
    assert found["collectives"]["decode_step"]["all-reduce"]["runs"] == 32
    assert report["cheapest"][0]["price_per_hour"] <= report["cheapest"][-1]["price_per_hour"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"model": "abacus"}, "--model abacus is no folder, and no shape that is known; shapes are llama3.2-1b"),
        ({"model": "llama3-8b", "topology": "v6e:3x5"}, "there is no v6e of shape 3x5"),
        ({"model": "llama3-8b", "topology": "v6e:2x4", "mesh": "tensor=3"}, "which tensor=3 does not divide"),
        ({"model": "llama3-8b", "topology": "v6e:2x4", "mesh": "tensor"}, "is not an axis and its size"),
    ],
)
def test_mistakes_are_explained(options, said):
    with pytest.raises(PlanError) as refusal:
        printed(**options)
    assert said in str(refusal.value)


def test_a_folder_without_a_config_is_told_apart(tmp_path):
    with pytest.raises(PlanError, match="has no config.json"):
        printed(model=str(tmp_path))


def test_what_is_known_can_be_listed():
    _, text = printed(list=True)
    assert all(chip.title in text for chip in CHIPS.values())
    assert "llama3-70b" in text and "16x16" in text
