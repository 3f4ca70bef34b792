"""The table of slices agrees with the one that `tradewind plan` rents by."""

import pytest

from sharding.chips import CHIPS
from tests.infra.terraform.command import Terraform

SLICES = [(chip.name, shape) for chip in CHIPS.values() if chip.platform == "tpu" for shape in chip.shapes]


@pytest.fixture(scope="module")
def table(terraform: Terraform) -> dict[str, dict]:
    """The module's output `slices`."""
    state = next(iter(terraform.states("modules/tpu_slices").values()))
    return state["outputs"]["slices"]["value"]


@pytest.mark.parametrize(("generation", "shape"), SLICES)
def test_what_is_planned_can_be_rented(table: dict[str, dict], generation: str, shape: tuple[int, ...]):
    rented = table[f"{generation}:{'x'.join(map(str, shape))}"]
    machines = CHIPS[generation].machines
    assert rented["machine_type"] == machines[rented["chips_per_host"]]
    assert rented["hosts"] * rented["chips_per_host"] == rented["chips"]
