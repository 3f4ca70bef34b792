"""What every parameter of a decoder says of itself: the logical axes that sharding rules speak of."""

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jax.sharding import PartitionSpec

from serving.models.config import DecoderConfig
from serving.models.decoder import Decoder
from tests.oracles.test_golden import FAMILIES, GOLDEN

LOGICAL = {"embed", "heads", "kv_heads", "mlp", "vocab", "experts", None}


def abstract(family: str) -> dict[str, nnx.Variable]:
    config = DecoderConfig.from_folder(GOLDEN / family)
    decoder = nnx.eval_shape(lambda: Decoder(config, dtype=jnp.float32, rngs=nnx.Rngs(0)))
    return {".".join(map(str, path)): variable for path, variable in nnx.to_flat_state(nnx.state(decoder, nnx.Param))}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_dimension_has_a_logical_axis_of_its_size(family):
    config = DecoderConfig.from_folder(GOLDEN / family)
    sizes = {
        "embed": config.hidden_size,
        "heads": config.heads,
        "kv_heads": config.kv_heads,
        "mlp": config.experts.mlp_size if config.experts else config.mlp_size,
        "vocab": config.vocab_size,
        "experts": config.experts and config.experts.count,
    }
    for name, variable in abstract(family).items():
        axes, shape = variable.get_metadata("out_sharding"), variable.get_value().shape
        assert len(axes) == len(shape) and set(axes) <= LOGICAL, name
        for axis, size in zip(axes, shape, strict=True):
            per_head = config.head_dim if axis in ("heads", "kv_heads") and not name.endswith("sinks") else 1
            assert axis is None or size == sizes[axis] * per_head, (name, axis)


def test_the_axes_are_read_by_flax_itself():
    specs = nnx.get_partition_spec(nnx.State(abstract("gpt_oss")))
    assert specs["layers.0.attention.query.kernel"].get_value() == PartitionSpec("embed", "heads")
    assert specs["layers.0.mlp.down.kernel"].get_value() == PartitionSpec("experts", "mlp", "embed")


def test_a_mesh_in_context_places_nothing_by_itself():
    config = DecoderConfig.from_folder(GOLDEN / "grouped_tied")
    with jax.set_mesh(jax.make_mesh((1,), ("tensor",))):
        decoder = Decoder(config, rngs=nnx.Rngs(0))
    assert decoder.layers[0].mlp.up.kernel.get_metadata("out_sharding") == ("embed", "mlp")
