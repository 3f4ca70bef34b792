"""Stop strings in text that arrives in pieces."""

from collections.abc import Sequence


class StopStrings:
    """Finds the first stop string of a text, and holds back what may turn out to be the beginning of one.

    Characters are read one by one, so the result does not depend on how the text was cut into pieces: the stop string
    that is complete first ends the text, the longest of those that are complete at the same character.
    Each string is matched by the Knuth-Morris-Pratt automaton, in amortised constant time a character.
    """

    def __init__(self, strings: Sequence[str], *, keep: bool = False) -> None:
        """Look for `strings`, none of them empty; `keep` leaves the one that was found in the text."""
        self.found: str | None = None
        self._keep = keep
        self._strings = tuple(strings)
        self._borders = [_borders(string) for string in self._strings]
        self._matched = [0] * len(self._strings)
        self._held = ""

    def push(self, text: str, *, armed: bool = True) -> str:
        """The text that is safe to pass on now that `text` has come; once a string was found, always nothing.

        While not `armed` no string ends the text, though one that began in it still may, once armed again.
        """
        if self.found is not None:
            return ""
        held = self._held + text
        for position, character in enumerate(text, start=len(self._held) + 1):
            complete = [i for i in range(len(self._strings)) if self._advance(i, character)]
            if complete and armed:
                self.found = max((self._strings[i] for i in complete), key=len)
                self._held = ""
                return held[:position] if self._keep else held[: position - len(self.found)]
        waiting = max(self._matched, default=0)
        self._held = held[len(held) - waiting :]
        return held[: len(held) - waiting]

    def flush(self) -> str:
        """What was held back, when the text ended and it became no stop string."""
        held, self._held = self._held, ""
        return held

    def _advance(self, index: int, character: str) -> bool:
        """Takes one character into one automaton; true when its string is complete."""
        string, borders, matched = self._strings[index], self._borders[index], self._matched[index]
        while matched and string[matched] != character:
            matched = borders[matched - 1]
        if string[matched] == character:
            matched += 1
        complete = matched == len(string)
        self._matched[index] = borders[-1] if complete else matched
        return complete


def _borders(string: str) -> list[int]:
    """For each prefix of `string`, the length of its longest proper prefix that is also its suffix."""
    borders = [0] * len(string)
    length = 0
    for end in range(1, len(string)):
        while length and string[end] != string[length]:
            length = borders[length - 1]
        if string[end] == string[length]:
            length += 1
        borders[end] = length
    return borders
