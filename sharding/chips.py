"""Accelerators as their makers publish them: memory, rates, links, what is let, and for how much.

Rates are peaks per second, of a whole chip; nothing reaches them. Every line of the table names its sources:

[v5e], [v5p], [v6e], [tpu7x]: docs.cloud.google.com/tpu/docs/NAME, the tables of the chip and of its slices. Memory is
    printed in GB there and meant in GiB (the page of tpu7x says so). A chip's interconnect is given as what all its
    ports carry in both directions; a link carries that, divided by ports, each way half.
[scaling-book]: jax-ml.github.io/scaling-book/tpus, for the int8 rate of v5p.
[a100], [h100], [h200], [b200], [l4]: NVIDIA's data sheets, the rates without sparsity. NVLink, or PCIe on the L4, is
    given in both directions; a card sends half of it.
[nvidia-smi]: memory as the driver reports it (memory.total), which is what programs get.
[gce]: docs.cloud.google.com/compute/docs/accelerator-optimized-machines, for machine types.
[list]: Google Cloud's on-demand list prices with the machine around the chips, as its billing catalogue gave them to
    SkyPilot (skypilot-org/skypilot-catalog, catalogs/v9/gcp/vms.csv, 2026): us-central1, for H100 us-east4.
    None where it has no on-demand price in the US, or several that contradict each other, as for A100.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

GIB = 2**30
MIB = 2**20
TERA = 1e12
GIGA = 1e9

PRICES_OF = "Google Cloud's on-demand list prices in the United States, 2026"

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """One kind of accelerator.

    Attributes:
        name: as topologies name it, e.g. `v6e`.
        title: as people call it.
        platform: what JAX calls its platform.
        memory: bytes that programs can use.
        memory_bandwidth: bytes.
        bf16_flops: of dense products.
        eight_bit_ops: of dense products, the faster of int8 and fp8.
        links: to neighbours, or one to a switch that joins all chips of a host.
        link_bandwidth: bytes that one link carries one way.
        shapes: of the slices that are let, in chips.
        machines: types of machines by how many of the chips they hold.
        price: US dollars an hour with a share of its machine; None where no list price was found.
        sources: where the figures are from, see above.
        devices: that JAX shows for one chip, each with its part of memory and rates.
    """

    name: str
    title: str
    platform: Literal["tpu", "gpu"]
    memory: float
    memory_bandwidth: float
    bf16_flops: float
    eight_bit_ops: float
    links: int
    link_bandwidth: float
    shapes: tuple[Shape, ...]
    machines: Mapping[int, str] = field(default_factory=dict)
    price: float | None
    sources: tuple[str, ...]
    devices: int = 1


_PLANES = ((1, 1), (2, 2), (2, 4), (4, 4), (4, 8), (8, 8), (8, 16), (16, 16))
_CUBES = ((2, 2, 1), (2, 2, 2), (2, 2, 4), (2, 4, 4), (4, 4, 4), (4, 4, 8), (4, 8, 8), (8, 8, 8))
_CARDS = ((1,), (2,), (4,), (8,))

_TABLE = (
    Chip(
        name="v5e",
        title="TPU v5e",
        platform="tpu",
        memory=16 * GIB,
        memory_bandwidth=819 * GIGA,
        bf16_flops=197 * TERA,
        eight_bit_ops=393 * TERA,
        links=4,
        link_bandwidth=400 * GIGA / 4 / 2,
        shapes=_PLANES,
        machines={1: "ct5lp-hightpu-1t", 4: "ct5lp-hightpu-4t", 8: "ct5lp-hightpu-8t"},
        price=1.20,
        sources=("v5e", "list"),
    ),
    Chip(
        name="v5p",
        title="TPU v5p",
        platform="tpu",
        memory=95 * GIB,
        memory_bandwidth=2765 * GIGA,
        bf16_flops=459 * TERA,
        eight_bit_ops=918 * TERA,
        links=6,
        link_bandwidth=1200 * GIGA / 6 / 2,
        shapes=_CUBES,
        machines={4: "ct5p-hightpu-4t"},
        price=4.20,
        sources=("v5p", "scaling-book", "list"),
    ),
    Chip(
        name="v6e",
        title="TPU v6e (Trillium)",
        platform="tpu",
        memory=32 * GIB,
        memory_bandwidth=1638 * GIGA,
        bf16_flops=918 * TERA,
        eight_bit_ops=1836 * TERA,
        links=4,
        link_bandwidth=800 * GIGA / 4 / 2,
        shapes=_PLANES,
        machines={1: "ct6e-standard-1t", 4: "ct6e-standard-4t", 8: "ct6e-standard-8t"},
        price=2.70,
        sources=("v6e", "list"),
    ),
    Chip(
        name="tpu7x",
        title="TPU7x (Ironwood)",
        platform="tpu",
        memory=192 * GIB,
        memory_bandwidth=7380 * GIGA,
        bf16_flops=2307 * TERA,
        eight_bit_ops=4614 * TERA,
        links=6,
        link_bandwidth=1200 * GIGA / 6 / 2,
        shapes=_CUBES,
        machines={4: "tpu7x-standard-4t"},
        price=None,
        sources=("tpu7x",),
        devices=2,
    ),
    Chip(
        name="l4",
        title="NVIDIA L4",
        platform="gpu",
        memory=23_034 * MIB,
        memory_bandwidth=300 * GIGA,
        bf16_flops=121 * TERA,
        eight_bit_ops=242.5 * TERA,
        links=1,
        link_bandwidth=64 * GIGA / 2,
        shapes=_CARDS,
        machines={1: "g2-standard-12", 2: "g2-standard-24", 4: "g2-standard-48", 8: "g2-standard-96"},
        price=1.00,
        sources=("l4", "nvidia-smi", "gce", "list"),
    ),
    Chip(
        name="a100-80",
        title="NVIDIA A100 SXM 80 GB",
        platform="gpu",
        memory=81_920 * MIB,
        memory_bandwidth=2039 * GIGA,
        bf16_flops=312 * TERA,
        eight_bit_ops=624 * TERA,
        links=1,
        link_bandwidth=600 * GIGA / 2,
        shapes=_CARDS,
        machines={1: "a2-ultragpu-1g", 2: "a2-ultragpu-2g", 4: "a2-ultragpu-4g", 8: "a2-ultragpu-8g"},
        price=None,
        sources=("a100", "nvidia-smi", "gce"),
    ),
    Chip(
        name="h100",
        title="NVIDIA H100 SXM 80 GB",
        platform="gpu",
        memory=81_559 * MIB,
        memory_bandwidth=3350 * GIGA,
        bf16_flops=989.4 * TERA,
        eight_bit_ops=1978.9 * TERA,
        links=1,
        link_bandwidth=900 * GIGA / 2,
        shapes=_CARDS,
        machines={1: "a3-highgpu-1g", 2: "a3-highgpu-2g", 4: "a3-highgpu-4g", 8: "a3-highgpu-8g"},
        price=10.98,
        sources=("h100", "nvidia-smi", "gce", "list"),
    ),
    Chip(
        name="h200",
        title="NVIDIA H200 SXM 141 GB",
        platform="gpu",
        memory=143_771 * MIB,
        memory_bandwidth=4800 * GIGA,
        bf16_flops=989.4 * TERA,
        eight_bit_ops=1978.9 * TERA,
        links=1,
        link_bandwidth=900 * GIGA / 2,
        shapes=_CARDS,
        machines={8: "a3-ultragpu-8g"},
        price=10.85,
        sources=("h200", "nvidia-smi", "gce", "list"),
    ),
    Chip(
        name="b200",
        title="NVIDIA B200 SXM 180 GB",
        platform="gpu",
        memory=183_359 * MIB,
        memory_bandwidth=8000 * GIGA,
        bf16_flops=2250 * TERA,
        eight_bit_ops=4500 * TERA,
        links=1,
        link_bandwidth=1800 * GIGA / 2,
        shapes=_CARDS,
        machines={8: "a4-highgpu-8g"},
        price=None,
        sources=("b200", "nvidia-smi", "gce"),
    ),
)

CHIPS: Mapping[str, Chip] = {chip.name: chip for chip in _TABLE}
