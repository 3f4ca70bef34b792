"""Values that the generators fill in, by kind: a city, a time, a price, a person's name."""

import random
from collections.abc import Callable, Sequence

from training.synthetic import invented
from training.synthetic.words import (
    ANIMALS,
    BOYS,
    CITIES,
    COLOURS,
    COUNTRIES,
    CROPS,
    DAYS,
    DISHES,
    FAMILY_NAMES,
    GIRLS,
    HOBBIES,
    INSTRUMENTS,
    JOBS,
    LANGUAGES,
    MATERIALS,
    MONTHS,
    NUMBERS,
    OBJECTS,
    PLACES,
    SCHOOL_SUBJECTS,
    SPORTS,
    TITLES,
    WEATHER,
)

Draw = Callable[[random.Random], str]


def _one_of(words: Sequence[str]) -> Draw:
    return lambda rng: rng.choice(words)


def _sometimes_invented(words: Sequence[str], invent: Draw, share: float = 0.35) -> Draw:
    return lambda rng: invent(rng) if rng.random() < share else rng.choice(words)


def _counted(unit: str, first: int, last: int, step: int = 1) -> Draw:
    """ "12 metres", and now and then "twelve metres"."""

    def draw(rng: random.Random) -> str:
        number = rng.randrange(first, last, step)
        written = NUMBERS[number] if number < len(NUMBERS) and rng.random() < 0.4 else f"{number:,}"
        return f"{written} {unit}".strip()

    return draw


def _time(rng: random.Random) -> str:
    hour, minute = rng.randint(1, 12), rng.choice((0, 5, 10, 15, 20, 30, 40, 45, 50))
    dice = rng.randrange(5)
    if dice == 0:
        return f"{NUMBERS[hour]} o'clock"
    if dice == 1:
        return f"{rng.choice(('half past', 'quarter past', 'quarter to'))} {NUMBERS[hour]}"
    if dice == 2:
        return f"{hour} {rng.choice(('am', 'pm'))}"
    if dice == 3:
        return f"{hour}:{minute:02d} {rng.choice(('am', 'pm'))}"
    return f"{(hour + rng.choice((0, 12))) % 24}:{minute:02d}"


def _date(rng: random.Random) -> str:
    month, day = rng.choice(MONTHS), rng.randint(1, 28)
    nth = f"{day}{'th' if 10 < day < 14 else {1: 'st', 2: 'nd', 3: 'rd'}.get(day % 10, 'th')}"
    return rng.choice((f"{day} {month}", f"{month} {day}", f"the {nth} of {month}", f"{month} {nth}"))


def _price(rng: random.Random) -> str:
    amount = rng.choice((rng.randint(2, 60), rng.randint(2, 60), rng.randrange(100, 2000, 10)))
    return rng.choice((f"{amount} euros", f"{amount} dollars", f"${amount}", f"{amount} pounds", f"£{amount}"))


def _duration(rng: random.Random) -> str:
    unit, last = rng.choice((("minutes", 55), ("hours", 12), ("days", 14), ("weeks", 9), ("years", 20)))
    return _counted(unit, 2, last)(rng)


def _telephone(rng: random.Random) -> str:
    return f"{rng.randint(200, 999)}-{rng.randint(1000, 9999)}"


def _street(rng: random.Random) -> str:
    name = rng.choice(("Mill", "Park", "Station", "Church", "King", "Rose", "Oak", "Hill", invented.place(rng)))
    return f"{rng.randint(1, 190)} {name} {rng.choice(('Street', 'Road', 'Lane', 'Avenue', 'Square'))}"


def _full_name(rng: random.Random) -> str:
    first = _GIVEN(rng)
    return f"{first} {_FAMILY(rng)}" if rng.random() < 0.5 else first


_GIVEN = _sometimes_invented(GIRLS + BOYS, invented.given_name, 0.25)
_FAMILY = _sometimes_invented(FAMILY_NAMES, invented.family_name, 0.5)
KINDS: dict[str, Draw] = {
    "girl": _sometimes_invented(GIRLS, lambda rng: invented.given_name(rng).rstrip("aoi") + "a", 0.2),
    "boy": _sometimes_invented(BOYS, lambda rng: invented.given_name(rng).rstrip("aoi") + "o", 0.2),
    "name": _GIVEN,
    "surname": _FAMILY,
    "person": _full_name,
    "city": _sometimes_invented(CITIES, invented.place),
    "country": _sometimes_invented(COUNTRIES, invented.place, 0.2),
    "place_name": invented.place,
    "wild_animal": lambda rng: invented.syllables(rng, 2),
    "brand": invented.brand,
    "code": invented.code,
    "title": _one_of(TITLES),
    "job": _one_of(JOBS),
    "hobby": _one_of(HOBBIES),
    "animal": _one_of(ANIMALS),
    "dish": _one_of(DISHES),
    "crop": _one_of(CROPS),
    "colour": _one_of(COLOURS),
    "object": _one_of(OBJECTS),
    "material": _one_of(MATERIALS),
    "place": _one_of(PLACES),
    "language": _one_of(LANGUAGES),
    "sport": _one_of(SPORTS),
    "instrument": _one_of(INSTRUMENTS),
    "school_subject": _one_of(SCHOOL_SUBJECTS),
    "weather": _one_of(WEATHER),
    "day": _one_of(DAYS),
    "month": _one_of(MONTHS),
    "date": _date,
    "year": lambda rng: str(rng.randint(1650, 2024)),
    "recent_year": lambda rng: str(rng.randint(1985, 2024)),
    "time": _time,
    "price": _price,
    "duration": _duration,
    "age": lambda rng: str(rng.randint(3, 96)),
    "small_number": lambda rng: rng.choice((NUMBERS[rng.randint(2, 12)], str(rng.randint(2, 40)))),
    "number": lambda rng: rng.choice((str(rng.randint(12, 999)), f"{rng.randint(1000, 90_000):,}")),
    "length": _counted("metres", 2, 400),
    "distance": _counted("kilometres", 2, 900),
    "weight": _counted("kilos", 2, 300),
    "grams": _counted("grams", 20, 800, 10),
    "percent": lambda rng: f"{rng.randint(3, 97)}%",
    "telephone": _telephone,
    "street": _street,
}


def draw(kind: str, rng: random.Random) -> str:
    """A value of one of KINDS."""
    return KINDS[kind](rng)
