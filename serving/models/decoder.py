"""The decoder-only transformer: embed, layers of attention and MLP, logits. One decoder for all families."""

from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int

from serving.models.attention import Attend, Attention, Cache, soft_capped, unchanged
from serving.models.config import DecoderConfig
from serving.models.linear import RMSNorm, linear, logical
from serving.models.mlp import MLP, ExpertsMLP
from serving.models.per_device import PerDevice, on_one_device
from serving.models.rope import Rotation, rotations
from serving.models.rope_config import RopeConfig


class Layer(nnx.Module):
    """Attention, then MLP, each added to what came in, with norms before, after or around both."""

    def __init__(self, config: DecoderConfig, layer: int, *, dtype: DTypeLike, rngs: nnx.Rngs, per_device: PerDevice):
        norm = partial(
            RMSNorm,
            config.hidden_size,
            "embed",
            epsilon=config.norm_eps,
            offset=config.norm_offset,
            dtype=dtype,
            rngs=rngs,
        )
        before, after = config.norms != "after", config.norms != "before"
        self.attention_norm = norm() if before else unchanged
        self.attention = Attention(config, layer, dtype=dtype, rngs=rngs)
        self.attention_post_norm = norm() if after else unchanged
        self.mlp_norm = norm() if before else unchanged
        if config.experts:
            self.mlp = ExpertsMLP(config, dtype=dtype, rngs=rngs, per_device=per_device)
        else:
            self.mlp = MLP(config, dtype=dtype, rngs=rngs)
        self.mlp_post_norm = norm() if after else unchanged

    def __call__(
        self, x: Float[Array, "*N embed"], rotation: Rotation | None, attend: Attend, cache: Cache, layer: int
    ) -> tuple[Float[Array, "*N embed"], Cache]:
        mixed, cache = self.attention(self.attention_norm(x), rotation, attend, cache, layer)
        x = x + self.attention_post_norm(mixed)
        return x + self.mlp_post_norm(self.mlp(self.mlp_norm(x))), cache


class Layers(nnx.List):
    """A decoder's layers, or those of one pipeline stage, one after another."""

    def __init__(self, config: DecoderConfig, *, dtype: DTypeLike, rngs: nnx.Rngs, per_device: PerDevice):
        super().__init__(
            Layer(config, layer, dtype=dtype, rngs=rngs, per_device=per_device) for layer in range(config.layers)
        )
        self.config = config

    def __call__(
        self, x: Float[Array, "*N embed"], positions: Int[Array, "*N"], attend: Attend, cache: Cache
    ) -> tuple[Float[Array, "*N embed"], Cache]:
        """Hidden states after the last layer, not yet normalised, and the cache."""
        turned = self._rotations(positions)
        with jax.named_scope("layers"):
            for index, layer in enumerate(self):
                x, cache = layer(x, turned[self.config.rope_of(index)], attend, cache, index)
        return x, cache

    def _rotations(self, positions: Int[Array, "*N"]) -> dict[RopeConfig | None, Rotation | None]:
        """The rotation of each rope among the layers, computed once for all layers that share it."""
        config = self.config
        ropes = {config.rope_of(layer) for layer in range(config.layers)}
        return {
            rope: rope and rotations(positions, rope.frequencies(config.head_dim, config.max_position), rope.magnitude)
            for rope in ropes
        }


class Decoder(nnx.Module):
    """A decoder of any supported family. Computes in `dtype`; norms, rotations and logits accumulate in float32.

    `per_device` says how what devices compute apart is run; everything else is left to the compiler.
    """

    def __init__(
        self,
        config: DecoderConfig,
        *,
        dtype: DTypeLike = jnp.float32,
        rngs: nnx.Rngs,
        per_device: PerDevice = on_one_device,
    ):
        self.config = config
        self.embed = nnx.Embed(
            config.vocab_size,
            config.hidden_size,
            dtype=dtype,
            param_dtype=dtype,
            rngs=rngs,
            embedding_metadata=logical("vocab", "embed"),
        )
        self.layers = Layers(config, dtype=dtype, rngs=rngs, per_device=per_device)
        self.norm = RMSNorm(
            config.hidden_size,
            "embed",
            epsilon=config.norm_eps,
            offset=config.norm_offset,
            dtype=dtype,
            rngs=rngs,
        )
        if not config.tied_embeddings:
            self.head = linear(
                config.hidden_size,
                config.vocab_size,
                ("embed", "vocab"),
                bias=False,
                dtype=dtype,
                rngs=rngs,
                quantised=config.quantised,
            )

    def __call__(
        self, tokens: Int[Array, "*N"], positions: Int[Array, "*N"], attend: Attend, cache: Cache
    ) -> tuple[Float[Array, "*N embed"], Cache]:
        """Runs every layer over tokens at their positions; returns the normalised hidden states and the cache."""
        x, cache = self.layers(self.embedded(tokens), positions, attend, cache)
        return self.norm(x), cache

    def embedded(self, tokens: Int[Array, "*N"]) -> Float[Array, "*N embed"]:
        """What the first layer reads."""
        x = self.embed(tokens)
        scale = self.config.embedding_scale
        return x if scale == 1 else x * jnp.asarray(scale, x.dtype)

    def logits(self, hidden: Float[Array, "*N embed"]) -> Float[Array, "*N vocab"]:
        """Scores of the next token, float32."""
        with jax.named_scope("head"):
            scores = self.embed.attend(hidden) if self.config.tied_embeddings else self.head(hidden)
            return soft_capped(scores.astype(jnp.float32), self.config.logit_soft_cap)
