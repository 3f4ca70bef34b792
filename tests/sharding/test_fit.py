"""The arithmetic of models on meshes."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from serving.models.config import DecoderConfig, ExpertsConfig
from sharding.fit import fit, widest
from sharding.mesh import MeshSpec, ShardingError
from sharding.rules import Rules


def model(**changes) -> DecoderConfig:
    """Something like Qwen 2.5 7B, whose 28 heads and 4 kv heads divide by little."""
    shape = {
        "vocab_size": 152_064,
        "hidden_size": 3584,
        "layers": 28,
        "heads": 28,
        "kv_heads": 4,
        "head_dim": 128,
        "mlp_size": 18_944,
        "max_position": 32_768,
    }
    return DecoderConfig(**shape | changes)


def refusal(config: DecoderConfig, mesh: str, rules: Rules | None = None) -> str:
    with pytest.raises(ShardingError) as refused:
        fit(config, MeshSpec.parse(mesh), rules or Rules())
    return str(refused.value)


def test_what_divides_is_cut_without_a_word():
    fitted = fit(model(), MeshSpec(pipeline=2, tensor=4), Rules())
    assert (fitted.config, fitted.kv_repeats, fitted.notes) == (model(), 1, ())


@pytest.mark.parametrize(
    ("mesh", "changes", "message"),
    [
        (
            "tensor=8",
            {},
            "num_attention_heads is 28, which tensor=8 does not divide: 28 = 8 x 3 + 4; accepted are 1, 2, 4",
        ),
        (
            "tensor=7",
            {"mlp_size": 18_945},
            "intermediate_size is 18945, which tensor=7 does not divide: 18945 = 7 x 2706",
        ),
        ("pipeline=8", {}, "num_hidden_layers is 28, which pipeline=8 does not divide: 28 = 8 x 3 + 4"),
        ("data=2,tensor=4", {}, "data=2 are 2 engines of 4 devices each; the mesh of one of them is tensor=4"),
        ("sequence=2", {}, "no rule cuts anything along sequence, so the 2 devices along it would compute the same"),
        ("expert=4,tensor=2", {}, "this model has no experts, so the 4 devices along it would compute the same"),
    ],
)
def test_what_cannot_work_is_refused_with_the_arithmetic(mesh, changes, message):
    said = refusal(model(**changes), mesh)
    assert message in said
    assert f"mesh {mesh}" in said


def test_experts_are_dealt_out_and_each_may_be_cut():
    mixture = model(experts=ExpertsConfig(count=60, per_token=4, mlp_size=1408, normalised=False))
    assert fit(mixture, MeshSpec(expert=4, tensor=2), Rules()).notes == ()
    assert "num_experts is 60, which expert=8 does not divide: 60 = 8 x 7 + 4" in refusal(mixture, "expert=8")
    assert "an expert's intermediate_size is 1408, which tensor=7" in refusal(mixture, "tensor=7")


def test_a_refusal_follows_the_rules():
    rules = Rules().replace({"heads": ["expert", "tensor"], "kv_heads": ["expert", "tensor"]})
    assert "which expert=2 x tensor=4 does not divide: 28 = 8 x 3 + 4" in refusal(model(), "expert=2,tensor=4", rules)
    assert "or the rules heads = [] and kv_heads = [], which keeps it whole" in refusal(model(), "tensor=8")
    whole = Rules().replace({"heads": [], "kv_heads": []})
    assert fit(model(), MeshSpec(tensor=8), whole).notes == ()


def test_attention_is_never_split_between_devices():
    said = refusal(model(), "tensor=4", Rules().replace({"kv_heads": []}))
    assert "cut heads along tensor=4, but kv_heads along nothing" in said
    assert fit(model(), MeshSpec(), Rules().replace({"kv_heads": []})).notes == ()
    said = refusal(model(), "sequence=2,tensor=4", Rules().replace({"pages": "sequence"}))
    assert "the rules cut pages along sequence=2; accepted is pages = []" in said


def test_stages_must_be_alike():
    alternating = (4096, None) * 14
    fit(model(windows=alternating), MeshSpec(pipeline=7), Rules())
    with pytest.raises(ShardingError, match="28 layers make 4 stages of 7, but layers 7 to 13 have other windows"):
        fit(model(windows=alternating), MeshSpec(pipeline=4), Rules())


@pytest.mark.parametrize("axis", ["pages", "rows"])
def test_pages_and_rows_stay_whole(axis):
    with pytest.raises(ShardingError, match=rf"the rules cut {axis} along tensor=4; accepted is {axis} = \[\]"):
        fit(model(), MeshSpec(tensor=4), Rules().replace({axis: "tensor"}))


def test_stages_are_one_axis():
    with pytest.raises(ShardingError, match="the rules cut layers along tensor; accepted are layers ="):
        fit(model(), MeshSpec(tensor=4), Rules().replace({"layers": "tensor"}))


def test_a_vocabulary_of_odd_size_stays_whole():
    fitted = fit(model(vocab_size=152_065), MeshSpec(tensor=2), Rules())
    assert fitted.rules.table["vocab"] == ()
    assert fitted.rules.table["mlp"] == ("tensor",)
    # 2 tables x 152,065 x 3584 x 2 bytes
    assert "vocab_size is 152065, which tensor=2 does not divide" in fitted.notes[0]
    assert "2.03 GiB in bfloat16 instead of 1.02 GiB" in fitted.notes[0]


def test_few_kv_heads_are_repeated_and_the_memory_said():
    fitted = fit(model(mlp_size=2800, vocab_size=2800), MeshSpec(tensor=28), Rules())
    assert (fitted.config.kv_heads, fitted.kv_repeats) == (28, 7)
    # 2 x 28 layers x 4 heads x 128 x 2 bytes a token, seven times
    assert "each of them 7 times, 28 in all and 1 a device" in fitted.notes[0]
    assert "a token of context takes 392 KiB over all devices instead of 56 KiB" in fitted.notes[0]


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 48))
def test_each_device_holds_the_kv_heads_that_its_query_heads_read(kv_heads, group, tensor):
    heads = kv_heads * group
    assume(heads % tensor == 0)
    config = model(heads=heads, kv_heads=kv_heads, mlp_size=tensor, vocab_size=tensor)
    fitted = fit(config, MeshSpec(tensor=tensor), Rules())
    held = fitted.config.kv_heads
    for head in range(heads):
        device, held_head = head // (heads // tensor), head // (heads // held)
        assert held_head // (held // tensor) == device, "the head lies on the device of its queries"
        assert held_head // fitted.kv_repeats == head // group, "it is a repeat of the head that they read before"


def test_by_default_as_many_devices_are_used_as_the_heads_allow():
    mesh, notes = widest(model(), 8, Rules())
    assert mesh == MeshSpec(tensor=4)
    assert "4 of 8 devices are used; mesh tensor=8: num_attention_heads is 28" in notes[0]
    assert widest(model(heads=32), 8, Rules()) == (MeshSpec(tensor=8), ())
    assert widest(model(), 1, Rules()) == (MeshSpec(), ())


def test_what_is_left_over_by_default_can_hold_replicas():
    mesh, _ = widest(model(heads=6, kv_heads=2, mlp_size=12), 8, Rules())
    assert mesh == MeshSpec(tensor=2), "six devices would leave two that nobody can use"
