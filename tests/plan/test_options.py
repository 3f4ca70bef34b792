"""What a person may ask for, and what is said when it cannot be."""

import pytest

from serving.plan.errors import PlanError
from serving.plan.options import PlanOptions


def test_a_model_is_enough():
    options = PlanOptions(model="llama3-8b")
    assert (options.streams, options.context, options.weights, options.chip_prices()) == (16, 8192, "bfloat16", {})


def test_prices_are_read():
    assert PlanOptions(model="m", prices="v6e=1.35, h100=2.99").chip_prices() == {"v6e": 1.35, "h100": 2.99}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "--model is missing"),
        ({"model": "m", "weights": "int4"}, "--weights int4: accepted are bfloat16, int8, fp8"),
        ({"model": "m", "mesh": "tensor=2"}, "name it with --topology"),
        ({"model": "m", "prompt": 512, "context": 512}, "accepted are prompts up to 511"),
        ({"model": "m", "prices": "v6e"}, "'v6e' is no chip and its price; accepted are v5e=N, v5p=N"),
        ({"model": "m", "prices": "v6e=-1"}, "'v6e=-1' is no chip and its price"),
        ({"model": "m", "prices": "abacus=1"}, "'abacus=1' is no chip"),
    ],
)
def test_what_cannot_be_planned_is_refused(options, said):
    with pytest.raises(PlanError) as refusal:
        PlanOptions(**options)
    assert said in str(refusal.value)


def test_a_list_needs_no_model():
    assert PlanOptions(list=True).model == ""
