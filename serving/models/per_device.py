"""Computations that each device does by itself on the parts of arrays that it holds.

Most of a decoder is written for whole arrays, and the compiler divides it. Attention over pages and mixtures of experts
are divided by hand, because a compiler would gather what lies elsewhere.
"""

from collections.abc import Callable
from typing import Any, Protocol

from jax.sharding import PartitionSpec


class PerDevice(Protocol):
    """`sharding.layout.Layout.per_device`, or its like for one device."""

    def __call__(
        self, function: Callable[..., Any], inputs: Any, outputs: Any, summed: tuple[str, ...] = ()
    ) -> Callable[..., Any]:
        """`function` as every device runs it on what it holds.

        Args:
            inputs: logical axes of the arguments, a tree of PartitionSpecs of their names.
            outputs: those of the results.
            summed: logical axes whose parts each bring a share of the results, which are added up.
        """


def on_one_device(
    function: Callable[..., Any], inputs: Any, outputs: Any, summed: tuple[str, ...] = ()
) -> Callable[..., Any]:
    """The PerDevice of a device that holds everything."""
    return function


WHOLE = PartitionSpec()
"""For what every device holds whole."""
