"""Muon for the layers' matrices, Adam for embeddings and norms, and the schedule of their learning rates."""

from typing import Any

import jax
import optax
from optax.contrib import MuonDimensionNumbers, muon

from training.recipe import Recipe

GRADIENT_NORM = 1.0


def learning_rate(peak: float, steps: int, recipe: Recipe) -> optax.Schedule:
    """Warm-up, stable, decay to zero (arXiv 2404.06395).

    The stable part's rate does not depend on `steps`, so a resumed run may be given fewer and decay at once.
    """
    warmup = max(1, round(recipe.warmup_share * steps))
    decay = max(1, round(recipe.decay_share * steps))
    return optax.join_schedules(
        [
            optax.linear_schedule(0.0, peak, warmup),
            optax.constant_schedule(peak),
            optax.linear_schedule(peak, 0.0, decay),
        ],
        [warmup, max(warmup, steps - decay)],
    )


def make_optimiser(recipe: Recipe, steps: int) -> optax.GradientTransformation:
    """The optimiser of a run of `steps` steps."""
    return optax.chain(
        optax.clip_by_global_norm(GRADIENT_NORM),
        muon(
            learning_rate(recipe.muon_learning_rate, steps, recipe),
            adam_learning_rate=learning_rate(recipe.adam_learning_rate, steps, recipe),
            adam_b2=0.95,
            muon_weight_dimension_numbers=_matrices,
        ),
    )


def _matrices(params: Any) -> Any:
    """Which parameters Muon takes: the layers' kernels. The embedding is a table of vectors, not a map."""
    return jax.tree_util.tree_map_with_path(
        lambda path, _: MuonDimensionNumbers() if getattr(path[-1], "key", None) == "kernel" else None, params
    )
