"""From logical axes to mesh axes."""

import pytest
from jax.sharding import PartitionSpec

from sharding.mesh import MeshSpec, ShardingError
from sharding.rules import Rules


def test_a_projection_is_cut_along_its_heads():
    assert Rules().spec(("embed", "heads")) == PartitionSpec(None, "tensor")
    assert Rules().spec(("heads", "embed")) == PartitionSpec("tensor", None)
    assert Rules().spec(("experts", "embed", "mlp")) == PartitionSpec("expert", None, "tensor")
    assert Rules().spec((None,)) == PartitionSpec(None)


def test_axes_that_share_a_dimension_are_cut_major_first():
    rules = Rules().replace({"pages": "sequence"})
    assert rules.spec((("layers", "pages"), None, "kv_heads", None)) == PartitionSpec(
        ("pipeline", "sequence"), None, "tensor", None
    )


def test_one_line_of_a_file_is_another_sharding(tmp_path):
    file = tmp_path / "rules.toml"
    file.write_text('mlp = ["expert", "tensor"]\nvocab = []\nembed = "sequence"\n')
    rules = Rules.from_file(file)
    assert rules.spec(("embed", "mlp")) == PartitionSpec("sequence", ("expert", "tensor"))
    assert rules.spec(("vocab", None)) == PartitionSpec(None, None)
    assert rules.spec(("heads",)) == PartitionSpec("tensor")
    assert rules.parts("mlp", MeshSpec(expert=2, tensor=4)) == 8
    assert Rules().spec(("embed", "mlp")) == PartitionSpec(None, "tensor")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'head = "tensor"',
            "rule head = 'tensor': accepted logical axes are embed, heads, kv_heads, mlp, vocab, layers",
        ),
        (
            'heads = "tensors"',
            "rule heads = 'tensors': accepted are a mesh axis or a list of them, from data, pipeline",
        ),
        ("heads = 4", "rule heads = 4: accepted are a mesh axis"),
        ('heads = ["tensor", 1]', "rule heads = ['tensor', 1]: accepted are a mesh axis"),
        ('heads = [["tensor"]]', "rule heads = [['tensor']]: accepted are a mesh axis"),
        ("heads = ", "rules.toml: not a TOML file"),
    ],
)
def test_a_file_that_says_something_else_is_refused(tmp_path, text, message):
    file = tmp_path / "rules.toml"
    file.write_text(text)
    with pytest.raises(ShardingError) as refusal:
        Rules.from_file(file)
    assert message in str(refusal.value)


def test_two_axes_of_an_array_cannot_share_a_mesh_axis():
    rules = Rules().replace({"embed": "tensor"})
    with pytest.raises(ShardingError) as refusal:
        rules.spec(("embed", "mlp"))
    assert "with the axes embed, mlp would be cut along tensor twice" in str(refusal.value)
    assert "embed = ['tensor'], mlp = ['tensor']" in str(refusal.value)
    with pytest.raises(ShardingError, match="along tensor twice"):
        Rules().replace({"mlp": ["tensor", "tensor"]}).spec(("mlp",))


def test_an_axis_without_a_rule_is_named():
    with pytest.raises(ShardingError, match="logical axis 'head' has no rule; there are embed, heads"):
        Rules().spec(("embed", "head"))
