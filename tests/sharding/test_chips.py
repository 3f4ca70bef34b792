"""The table of accelerators, where its figures can be held against each other."""

import math

import pytest

from sharding import chips
from sharding.chips import CHIPS, GIB
from sharding.topology import Topology


def test_every_chip_says_where_its_figures_are_from():
    for name, chip in CHIPS.items():
        assert chip.name == name
        assert all(f"[{source}]" in chips.__doc__ for source in chip.sources), name
        assert ("list" in chip.sources) == (chip.price is not None), name


@pytest.mark.parametrize(
    ("name", "memory", "bandwidth", "flops", "sent"),
    [
        ("v5e", 16, 819e9, 197e12, 200e9),
        ("v5p", 95, 2765e9, 459e12, 600e9),
        ("v6e", 32, 1638e9, 918e12, 400e9),
        ("tpu7x", 192, 7380e9, 2307e12, 600e9),
    ],
)
def test_tpus_are_as_published(name, memory, bandwidth, flops, sent):
    """The last figure is half of the published interconnect, which counts both directions."""
    chip = CHIPS[name]
    assert chip.memory == memory * GIB
    assert (chip.memory_bandwidth, chip.bf16_flops) == (bandwidth, flops)
    assert chip.links * chip.link_bandwidth == sent


def test_products_of_eight_bits_are_twice_as_fast():
    for chip in CHIPS.values():
        assert chip.eight_bit_ops / chip.bf16_flops == pytest.approx(2, rel=0.01), chip.name


def test_a_machine_is_no_bigger_than_what_is_let():
    for chip in CHIPS.values():
        sizes = {math.prod(shape) for shape in chip.shapes}
        assert set(chip.machines) <= sizes, chip.name
        assert len(sizes) == len(chip.shapes), "no two shapes of a chip have the same number"


def test_the_largest_slice_of_v6e_has_the_pods_bandwidth():
    """102.4 TB/s for reductions over 256 chips is what all of them send over all links."""
    pod = Topology.parse("v6e:16x16")
    assert pod.chips * pod.egress == 102.4e12
