"""Metadata filters, in the form that OpenAI's file search has: a comparison, or several joined.

{"type": "eq", "key": "year", "value": 2020}, with eq, ne, gt, gte, lt, lte, in, nin, and exists (which takes true or
false); {"type": "and", "filters": [...]}, with and, or; {"type": "not", "filter": {...}}.

A value of another kind is neither equal, less nor greater; a list matches when one of its items does; and a field that
is not there matches nothing. `ne` and `nin` match whatever `eq` and `in` do not.
"""

import math
import operator
from collections.abc import Callable, Mapping
from reprlib import repr as shown
from typing import Any

from retrieval.checks import Scalar
from retrieval.errors import InvalidRequest

Predicate = Callable[[Mapping[str, Any]], bool]
"""From a document's fields to whether it is wanted."""

_ORDERED = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}
_TYPES = ("eq", "ne", *_ORDERED, "in", "nin", "exists", "and", "or", "not")
DEPTH = 16
CONDITIONS = 256


def predicate(condition: Any) -> Predicate:
    """What a filter says as a function. Raises InvalidRequest that says where it is wrong and what is accepted."""
    return _Reader().read(condition, "filter", 1)


class _Reader:
    def __init__(self) -> None:
        self._conditions = 0

    def read(self, condition: Any, where: str, depth: int) -> Predicate:
        self._conditions += 1
        if depth > DEPTH or self._conditions > CONDITIONS:
            raise InvalidRequest(f"the filter is too large; accepted are {CONDITIONS} conditions, {DEPTH} deep")
        if not isinstance(condition, Mapping):
            raise InvalidRequest(
                f"{where} is {shown(condition)}; accepted is an object with a type: {', '.join(_TYPES)}"
            )
        kind = condition.get("type")
        if kind not in _TYPES:
            raise InvalidRequest(f"{where}.type is {shown(kind)}; accepted are {', '.join(_TYPES)}")
        if kind in ("and", "or"):
            return self._joined(kind, condition, where, depth)
        if kind == "not":
            _only(condition, where, "type", "filter")
            inner = self.read(condition["filter"], f"{where}.filter", depth + 1)
            return lambda fields: not inner(fields)
        return _comparison(kind, condition, where)

    def _joined(self, kind: str, condition: Mapping, where: str, depth: int) -> Predicate:
        _only(condition, where, "type", "filters")
        given = condition["filters"]
        if not isinstance(given, list) or not given:
            raise InvalidRequest(f"{where}.filters is {shown(given)}; accepted is a list of one filter at least")
        parts = [self.read(part, f"{where}.filters[{index}]", depth + 1) for index, part in enumerate(given)]
        join = all if kind == "and" else any
        return lambda fields: join(part(fields) for part in parts)


def _comparison(kind: str, condition: Mapping, where: str) -> Predicate:
    _only(condition, where, "type", "key", "value")
    key, value = condition["key"], condition["value"]
    if not isinstance(key, str) or not key:
        raise InvalidRequest(f"{where}.key is {shown(key)}; accepted is the name of a metadata field")
    if kind == "exists":
        if not isinstance(value, bool):
            raise InvalidRequest(f"{where}.value is {shown(value)}; accepted with exists are true and false")
        return lambda fields: (key in fields) is value
    if kind in ("in", "nin"):
        if not isinstance(value, list):
            raise InvalidRequest(f"{where}.value is {shown(value)}; accepted with {kind} is a list")
        wanted = [_scalar(item, f"{where}.value[{index}]") for index, item in enumerate(value)]
        found = _any(key, lambda given: any(_equal(given, item) for item in wanted))
        return found if kind == "in" else lambda fields: not found(fields)
    if kind in ("eq", "ne"):
        wanted = _scalar(value, f"{where}.value")
        found = _any(key, lambda given: _equal(given, wanted))
        return found if kind == "eq" else lambda fields: not found(fields)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise InvalidRequest(f"{where}.value is {shown(value)}; accepted with {kind} are numbers and strings")
    limit, compare = _scalar(value, f"{where}.value"), _ORDERED[kind]
    return _any(key, lambda given: _comparable(given, limit) and compare(given, limit))


def _any(key: str, test: Callable[[Scalar], bool]) -> Predicate:
    def matches(fields: Mapping[str, Any]) -> bool:
        if key not in fields:
            return False
        given = fields[key]
        return any(test(item) for item in given) if isinstance(given, list) else test(given)

    return matches


def _equal(left: Scalar, right: Scalar) -> bool:
    return (_comparable(left, right) or type(left) is type(right)) and left == right


def _comparable(left: Scalar, right: Scalar) -> bool:
    """Whether both are numbers or both are strings; true and false are no numbers."""
    if isinstance(left, bool) or isinstance(right, bool):
        return False
    return (isinstance(left, int | float) and isinstance(right, int | float)) or (
        isinstance(left, str) and isinstance(right, str)
    )


def _scalar(value: Any, where: str) -> Scalar:
    if value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise InvalidRequest(f"{where} is {shown(value)}; accepted are strings, finite numbers, booleans and null")


def _only(condition: Mapping, where: str, *names: str) -> None:
    if condition.keys() != set(names):
        given = shown(list(condition))
        raise InvalidRequest(
            f"{where} has the fields {given}; accepted with {condition['type']} are {', '.join(names)}"
        )
