"""Metadata filters: what matches, and what is said of those that are wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.errors import InvalidRequest
from retrieval.filters import DEPTH, predicate

FIELDS = {"year": 2020, "price": 9.5, "name": "ann", "tags": ["red", 7], "draft": True, "none": None}


def compare(kind, key, value) -> bool:
    """Whether FIELDS match."""
    return predicate({"type": kind, "key": key, "value": value})(FIELDS)


@pytest.mark.parametrize(
    ("kind", "key", "value", "expected"),
    [
        ("eq", "year", 2020, True),
        ("eq", "year", 2020.0, True),
        ("eq", "year", "2020", False),
        ("eq", "draft", True, True),
        ("eq", "draft", 1, False),
        ("eq", "year", True, False),
        ("eq", "none", None, True),
        ("eq", "missing", None, False),
        ("eq", "tags", "red", True),
        ("eq", "tags", "blue", False),
        ("ne", "year", 2021, True),
        ("ne", "tags", "red", False),
        ("ne", "missing", 1, True),
        ("gt", "year", 2019, True),
        ("gt", "year", 2020, False),
        ("gte", "year", 2020, True),
        ("lt", "price", 10, True),
        ("lte", "price", 9.4, False),
        ("gt", "name", "aaa", True),
        ("gt", "name", 5, False),
        ("lt", "tags", 8, True),
        ("gt", "draft", 0, False),
        ("gt", "missing", 0, False),
        ("in", "name", ["bob", "ann"], True),
        ("in", "tags", [7], True),
        ("in", "name", [], False),
        ("nin", "name", ["bob"], True),
        ("nin", "missing", ["bob"], True),
        ("exists", "none", True, True),
        ("exists", "missing", True, False),
        ("exists", "missing", False, True),
    ],
)
def test_comparisons(kind, key, value, expected):
    assert compare(kind, key, value) is expected


def test_filters_join():
    young = {"type": "gt", "key": "year", "value": 2000}
    bob = {"type": "eq", "key": "name", "value": "bob"}
    assert predicate({"type": "or", "filters": [bob, young]})(FIELDS)
    assert not predicate({"type": "and", "filters": [bob, young]})(FIELDS)
    assert predicate({"type": "and", "filters": [young, {"type": "not", "filter": bob}]})(FIELDS)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("year > 3", "filter is 'year > 3'; accepted is an object with a type: eq, ne, gt, gte, lt, lte, in, nin"),
        ({"year": 3}, "filter.type is None; accepted are eq"),
        ({"type": "like", "key": "a", "value": "b"}, "filter.type is 'like'; accepted are eq"),
        ({"type": "eq", "key": "a"}, "accepted with eq are type, key, value"),
        ({"type": "eq", "key": "a", "value": 1, "or": 2}, "accepted with eq are type, key, value"),
        ({"type": "eq", "key": "", "value": 1}, "filter.key is ''; accepted is the name"),
        ({"type": "eq", "key": "a", "value": {}}, "filter.value is {}; accepted are strings, finite numbers"),
        ({"type": "eq", "key": "a", "value": float("nan")}, "filter.value is nan; accepted"),
        ({"type": "gt", "key": "a", "value": True}, "accepted with gt are numbers and strings"),
        ({"type": "in", "key": "a", "value": "b"}, "accepted with in is a list"),
        ({"type": "in", "key": "a", "value": [[]]}, r"filter.value\[0\] is \[\]; accepted"),
        ({"type": "exists", "key": "a", "value": 1}, "accepted with exists are true and false"),
        ({"type": "and", "filters": []}, r"filter.filters is \[\]; accepted is a list of one filter at least"),
        (
            {"type": "or", "filters": [{"type": "eq"}]},
            r"filter.filters\[0\] has the fields \['type'\]; accepted with eq",
        ),
        ({"type": "not", "filter": 3}, "filter.filter is 3; accepted is an object"),
    ],
)
def test_a_wrong_filter_is_told_where_and_what_is_accepted(condition, message):
    with pytest.raises(InvalidRequest, match=message):
        predicate(condition)


def test_filters_have_a_size():
    nested = {"type": "exists", "key": "a", "value": True}
    for _ in range(DEPTH):
        nested = {"type": "not", "filter": nested}
    with pytest.raises(InvalidRequest, match="the filter is too large; accepted are 256 conditions, 16 deep"):
        predicate(nested)
    wide = {"type": "or", "filters": [{"type": "exists", "key": "a", "value": True}] * 300}
    with pytest.raises(InvalidRequest, match="too large"):
        predicate(wide)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "key", "value", "filters"]), inner)
    ),
)


@given(JSON | st.fixed_dictionaries({"type": st.sampled_from(["eq", "in", "gt"]), "key": st.text(), "value": JSON}))
def test_no_filter_breaks_anything(condition):
    try:
        matches = predicate(condition)
    except InvalidRequest:
        return
    assert matches(FIELDS) in (True, False)
