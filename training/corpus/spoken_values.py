"""Finds the words of a text that mean a canonical value: "11th of March" for 2019-03-11, "2 pm" for 14:00."""

import re
from collections.abc import Sequence
from functools import lru_cache

_MONTHS = tuple("January February March April May June July August September October November December".lower().split())
_SMALL = ("zero", "one|alone|myself|just me|only me|a single", "two", "three", "four", "five", "six", "seven", "eight")


def spoken(value: str, texts: Sequence[str]) -> str | None:
    """The words for `value` in the last of `texts` that has any, as they stand there; None where none has."""
    pattern = _pattern(value)
    for text in reversed(texts):
        if found := pattern.search(text):
            return found[0]
    return None


@lru_cache(maxsize=50_000)
def _pattern(value: str) -> re.Pattern[str]:
    forms = [re.escape(value).replace(r"\ ", r"\s+")]
    if date := re.fullmatch(r"\d{4}-(\d\d)-(\d\d)", value):
        forms = [*_dates(_MONTHS[int(date[1]) - 1], int(date[2])), *forms]
    elif time := re.fullmatch(r"(\d\d):(\d\d)", value):
        forms = [*_times(int(time[1]), time[2]), *forms]
    elif value.isdecimal():
        forms += [f"{int(value):,}", *_SMALL[int(value) : int(value) + 1]]
    return re.compile(r"(?<!\w)(?:" + "|".join(forms) + r")(?!\w)", re.IGNORECASE)


def _dates(month: str, day: int) -> tuple[str, ...]:
    nth = rf"{day}(?:st|nd|rd|th)"
    named = rf"(?:{month}|{month[:3]}\.?)"
    return (
        rf"{named} (?:the )?(?:{nth}|{day})",
        rf"(?:the )?(?:{nth}|{day}) (?:of )?(?:{named}|this month)",
        rf"the {nth}",
        nth,
    )


def _times(hour: int, minutes: str) -> tuple[str, ...]:
    clock = rf"{(hour + 11) % 12 + 1}" + ("(?::00)?" if minutes == "00" else f":{minutes}")
    half, part = ("a", "morning") if hour < 12 else ("p", "(?:afternoon|evening)")
    return (
        rf"{clock} ?{half}(?:m|\.m\.)",
        rf"{clock} (?:o'clock )?in the {part}",
        rf"{part} {clock}",
        rf"0?{clock} o'clock",
    )
