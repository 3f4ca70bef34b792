"""Topologies by name, and what their chips can send."""

import pytest

from sharding.mesh import ShardingError
from sharding.topology import Topology


def test_a_topology_is_read_and_says_its_name():
    slice_ = Topology.parse(" V6e:2x4 ")
    assert (slice_.name, slice_.shape, slice_.chips, slice_.devices) == ("v6e:2x4", (2, 4), 8, 8)
    assert slice_.machines == (1, "ct6e-standard-8t")
    cards = Topology.parse("h100:8")
    assert (cards.name, cards.chips, cards.machines) == ("h100:8", 8, (1, "a3-highgpu-8g"))


def test_every_known_topology_reads_back():
    every = Topology.all()
    assert [Topology.parse(topology.name) for topology in every] == every
    assert len({topology.name for topology in every}) == len(every) > 50


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("v6e:3x5", ["there is no v6e of shape 3x5", "v6e:1x1, v6e:2x2, v6e:2x4, v6e:4x4"]),
        ("h100:3", ["there is no h100 of shape 3", "accepted are h100:1, h100:2, h100:4, h100:8"]),
        ("v5p:2x4", ["there is no v5p of shape 2x4", "v5p:2x2x1"]),
        ("v6e", ["the shape is missing", "v6e:2x4"]),
        ("v9:2x4", ["'v9' is no chip that is known", "v5e, v5p, v6e, tpu7x, l4, a100-80, h100, h200, b200"]),
        ("", ["'nothing' is no chip"]),
    ],
)
def test_what_is_not_let_is_refused_by_name(text, said):
    with pytest.raises(ShardingError) as refusal:
        Topology.parse(text)
    assert f"topology {text!r}" in str(refusal.value)
    assert all(words in str(refusal.value) for words in said), refusal.value


@pytest.mark.parametrize(
    ("name", "links"),
    [
        ("v6e:1x1", 0),
        ("v6e:2x2", 2),  # a neighbour along each edge
        ("v6e:2x4", 2),  # those at the corners; the others have three
        ("v6e:8x16", 3),  # the long edge is closed to a ring
        ("v6e:16x16", 4),
        ("v5p:2x2x1", 2),
        ("v5p:2x2x4", 3),
        ("v5p:4x4x4", 6),  # a whole cube, closed by optical switches
    ],
)
def test_a_slice_sends_over_the_links_of_its_corners(name, links):
    topology = Topology.parse(name)
    assert topology.egress == links * topology.chip.link_bandwidth


def test_cards_send_over_one_link_each():
    assert Topology.parse("h100:8").egress == 450e9
    assert Topology.parse("h100:1").egress == 0


def test_slices_of_several_machines():
    assert Topology.parse("v6e:4x4").machines == (4, "ct6e-standard-4t")
    assert Topology.parse("v5p:2x2x2").machines == (2, "ct5p-hightpu-4t")
    assert Topology.parse("h200:8").machines == (1, "a3-ultragpu-8g")
    assert Topology.parse("h200:1").machines is None, "there is no such machine"


def test_a_chip_that_shows_as_two_devices_gives_each_half():
    slice_ = Topology.parse("tpu7x:2x2x1")
    assert (slice_.chips, slice_.devices) == (4, 8)
    assert slice_.memory == 96 * 2**30
    assert slice_.memory_bandwidth == 3690e9
