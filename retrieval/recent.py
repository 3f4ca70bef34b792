"""What was computed lately and is asked for again."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Recent(Generic[Value]):
    """Values by a key that says all that they depend on; the `most` that were asked for last are kept."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[Hashable, Value] = OrderedDict()

    async def get(self, key: Hashable, compute: Callable[[], Awaitable[Value]]) -> Value:
        """The key's value, computed unless it is known. What raises is not kept."""
        if key not in self._values:
            self._values[key] = await compute()
        self._values.move_to_end(key)
        value = self._values[key]
        while len(self._values) > self._most:
            self._values.popitem(last=False)
        return value
