"""Invented names: a model that has to copy cannot have learned them by heart."""

import random

_ONSETS = "b br c cl d dr f fl g gr h j k kr l m n p pr qu r s sh sk st t th tr v vel w y z".split()
_VOWELS = "a a e e i i o o u ai ea ie oa".split()
_CODAS = "b ck d l ll m n n nd ng r r rk s sk ss st t th x".split()
_PLACE_ENDINGS = "ton ville ford berg bury ham stad haven field wick mouth dale by a ia o".split()
_FAMILY_ENDINGS = "son sen ski er man well ez ini ov ard ley ton".split()
_BRAND_ENDINGS = "ex on ia ix ora um ano is ly ify tec".split()


def syllables(rng: random.Random, count: int) -> str:
    """`count` syllables, open ones but for the last."""
    word = ""
    for index in range(count):
        word += rng.choice(_ONSETS) + rng.choice(_VOWELS)
        if index == count - 1 and rng.random() < 0.6:
            word += rng.choice(_CODAS)
    return word


def given_name(rng: random.Random) -> str:
    """Someone's name, of either sex."""
    return (syllables(rng, rng.choice((1, 2, 2))) + rng.choice(("", "", "a", "o", "i"))).capitalize()


def family_name(rng: random.Random) -> str:
    """A surname."""
    return (syllables(rng, rng.choice((1, 1, 2))) + rng.choice(_FAMILY_ENDINGS)).capitalize()


def place(rng: random.Random) -> str:
    """A town, a village, a country."""
    name = (syllables(rng, rng.choice((1, 2))) + rng.choice(_PLACE_ENDINGS)).capitalize()
    return rng.choice(("New ", "Port ", "Lake ", "North ", "Saint ")) + name if rng.random() < 0.12 else name


def brand(rng: random.Random) -> str:
    """A company or what it makes."""
    return (syllables(rng, rng.choice((1, 2))) + rng.choice(_BRAND_ENDINGS)).capitalize()


def code(rng: random.Random) -> str:
    """A room, a flight, an order: letters and digits."""
    letters = "".join(rng.choice("ABCDEFGHKLMNPRSTUVWXZ") for _ in range(rng.randint(1, 2)))
    return letters + rng.choice(("", "-")) + str(rng.randint(1, 999))
