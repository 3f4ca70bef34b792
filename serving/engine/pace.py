"""How many decode steps one dispatch runs: enough to hide its own cost, few enough that nobody waits for it."""

DISPATCH_SECONDS = 0.01
"""What a dispatch of several steps should take at most; whoever arrives meanwhile waits for its end."""


class Pace:
    """Decode steps for the next dispatch, from the time that the last ones took.

    Args:
        most: decode steps in one dispatch, however quick they are.
    """

    def __init__(self, most: int):
        self.steps = 1
        self._most = most

    def observe(self, steps: int, seconds: float) -> None:
        """A dispatch of `steps` decode steps occupied the device for so long."""
        affordable = int(DISPATCH_SECONDS * steps / max(seconds, 1e-9))
        self.steps = min(max(affordable, 1), self._most)
