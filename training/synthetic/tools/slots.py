"""Parameters of synthetic tools: their names, their values, and how a request says them."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from training.synthetic import invented, values
from training.synthetic.grammar import expand
from training.synthetic.words import NUMBERS, OBJECTS

Value = tuple[str, Any]
"""A value in the words of the request, and as the call's JSON."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One kind of parameter.

    `phrases` put the value into a request, `asks` ask for a missing one; `choices` are listed in the schema.
    """

    names: tuple[str, ...]
    type: str
    draw: Callable[[random.Random], Value]
    phrases: tuple[str, ...]
    asks: tuple[str, ...]
    description: str
    choices: tuple[str, ...] = ()


def _slot(names: str, type: str, draw: Callable[[random.Random], Value], phrases: str, asks: str, about: str) -> Slot:
    return Slot(tuple(names.split()), type, draw, tuple(phrases.split(" / ")), tuple(asks.split(" / ")), about)


def _choice(names: str, choices: str, phrases: str, asks: str, about: str) -> Slot:
    words = tuple(choices.split("|"))
    return Slot(
        tuple(names.split()),
        "string",
        lambda rng: (word := rng.choice(words), word),
        tuple(phrases.split(" / ")),
        tuple(asks.split(" / ")),
        about,
        words,
    )


def _text(kind: str) -> Callable[[random.Random], Value]:
    return lambda rng: (word := values.draw(kind, rng), word)


def _words(words: str) -> Callable[[random.Random], Value]:
    each = words.split("|")
    return lambda rng: (word := rng.choice(each), word)


def _whole(first: int, last: int, step: int = 1) -> Callable[[random.Random], Value]:
    def draw(rng: random.Random) -> Value:
        number = rng.randrange(first, last, step)
        return (NUMBERS[number] if number < 13 and rng.random() < 0.35 else str(number)), number

    return draw


def _decimal(rng: random.Random) -> Value:
    number = rng.choice((rng.randint(1, 900), round(rng.uniform(1, 99), 1), round(rng.uniform(1, 400), 2)))
    return str(number), number


def _when(rng: random.Random) -> Value:
    if rng.random() < 0.5:
        word = rng.choice(("today", "tomorrow", "tonight", "next week", "next Monday", "this weekend", "next Friday"))
    else:
        word = "on " + values.draw(rng.choice(("day", "date")), rng)
    return word, word.removeprefix("on ")


def _list(rng: random.Random) -> Value:
    words = rng.sample(OBJECTS, rng.randint(2, 3))
    return ", ".join(words[:-1]) + " and " + words[-1], words


def _note(rng: random.Random) -> Value:
    return (
        text := expand(rng.choice(_NOTES), rng, {"name": values.draw("name", rng), "time": values.draw("time", rng)}),
        text,
    )


def _email(rng: random.Random) -> Value:
    address = (
        f"{invented.syllables(rng, 2)}@{invented.syllables(rng, 1)}.{rng.choice(('com', 'org', 'net', 'de', 'fr'))}"
    )
    return address, address


_NOTES = (
    "I will be [late|there soon|back at {time}|home tonight]", "[see|meet] you at {time}", "happy birthday {name}", "do not forget the [milk|keys|tickets|bread]",
    "the meeting is [off|at {time}|in room 3]", "call {name} back", "thank you for the [flowers|help|cake|book]", "please [bring|buy] some [bread|wine|fruit|paper]",
    "the [door|printer|lamp] is broken", "we are [out of coffee|on our way|very happy]", "good luck with the [exam|race|interview]", "dinner is ready",
)  # fmt: skip

SLOTS = {
    "city": _slot("city location place town where area", "string", _text("city"), "in {v} / in {v} / near {v} / around {v}", "Which city? / In which city? / Where should it be?", "Name of the city"),
    "origin": _slot("origin from_city departure start source from", "string", _text("city"), "from {v} / starting in {v} / leaving from {v}", "From where? / Where do you start?", "Where it starts"),
    "destination": _slot("destination to_city arrival target goal to", "string", _text("city"), "to {v} / to {v} / going to {v}", "Where to? / To which city? / What is the destination?", "Where it goes"),
    "date": _slot("date day when on_date start_date", "string", _when, "{v}", "For which day? / On which date? / When should it be?", "The day"),
    "time": _slot("time at_time hour start_time clock", "string", _text("time"), "at {v} / at {v} / for {v}", "At what time? / What time should I use?", "The time of day"),
    "people": _slot("people guests party_size persons seats passengers group_size", "integer", _whole(2, 13), "for {v} people / for {v} / for a group of {v} / for {v} persons", "For how many people? / How many people are you?", "How many people"),
    "count": _slot("count quantity number pieces how_many units", "integer", _whole(2, 40), "{v} times / in a set of {v} / {v} pieces / {v} of them", "How many? / How many do you need?", "How many"),
    "person": _slot("person name recipient contact who user receiver", "string", _text("person"), "for {v} / to {v} / with {v}", "For whom? / Who is it for? / What is the person's name?", "Name of the person"),
    "owner": _slot("owner assignee author creator employee member", "string", _text("name"), "of {v} / by {v} / from {v}", "Whose is it? / Who is it from?", "Who it belongs to"),
    "title": _slot("title label subject heading", "string", _text("title"), "called {v} / named {v} / with the title {v} / titled {v}", "What is it called? / What is the title?", "What it is called"),
    "note": _slot("note text message content body comment", "string", _note, "saying {v} / with the note {v} / with the words: {v} / that says {v}", "What should it say? / What is the text?", "What it says"),
    "amount": _slot("amount sum value total price", "number", _decimal, "of {v} euros / over {v} dollars / for {v} / of {v}", "How much? / What is the amount?", "The sum"),
    "limit": _slot("max_price budget limit maximum price_limit", "integer", _whole(10, 900, 5), "for at most {v} euros / under {v} dollars / for less than {v} / up to {v}", "What is the most you would pay? / What is your budget?", "The highest price"),
    "minutes": _slot("minutes duration length duration_minutes", "integer", _whole(2, 90), "for {v} minutes / lasting {v} minutes / of {v} minutes", "For how many minutes? / How long should it be?", "How many minutes"),
    "level": _slot("level percent intensity strength", "integer", _whole(5, 100, 5), "to {v} percent / at {v} percent / to level {v} / to {v}", "To which level? / How high should it be?", "From 0 to 100"),
    "room": _slot("room zone which_room place_in_house", "string", _words("kitchen|bedroom|bathroom|living room|garage|office|hall|cellar|garden|attic|nursery|workshop"), "in the {v}", "In which room? / Which room do you mean?", "Which room"),
    "colour": _slot("colour color shade tint", "string", _text("colour"), "in {v} / in the colour {v}", "In which colour? / What colour would you like?", "The colour"),
    "size": _choice("size format", "small|medium|large", "in size {v} / in {v} / as a {v} one", "In which size? / Small, medium or large?", "The size"),
    "priority": _choice("priority urgency importance", "low|normal|high|urgent", "with {v} priority / with priority {v} / marked as {v}", "With which priority? / How urgent is it?", "How important it is"),
    "unit": _choice("unit units system measure", "metric|imperial", "in {v} units / using the {v} system", "In metric or imperial units?", "The system of units"),
    "sort": _choice("sort_by order sort ordering", "price|date|name|rating", "sorted by {v} / ordered by {v}", "How should I sort it?", "How results are sorted"),
    "language": _slot("language lang target_language", "string", _text("language"), "in {v} / in {v}", "In which language? / Which language?", "The language"),
    "code": _slot("id code reference key", "string", _text("code"), "with the number {v} / with the code {v} / number {v} / {v}", "What is the number? / Which code does it have?", "Its number"),
    "email": _slot("email email_address mail to_address", "string", _email, "to {v} / at {v} / using the address {v}", "To which address? / What is the email address?", "An email address"),
    "street": _slot("address street delivery_address street_address", "string", _text("street"), "to {v} / at {v}", "To which address? / What is the address?", "Street and number"),
    "items": _slot("items things products list articles", "array", _list, "with {v} / containing {v} / with these items: {v}", "Which items? / What should be in it?", "What it holds"),
    "brand": _slot("brand maker company shop vendor", "string", _text("brand"), "from {v} / by {v} / at {v}", "From which company? / Which brand?", "The company"),
    "category": _slot("category kind type genre topic", "string", _words("sports|music|science|history|cooking|travel|business|art|nature|technology|health|politics|comedy|crime|jazz|rock"), "about {v} / on {v} / in the category {v}", "About what? / Which category?", "What it is about"),
}  # fmt: skip

FLAGS = (
    (("urgent", "express", "fast", "rush"), "as fast as possible", "Whether it is urgent"),
    (("gift", "gift_wrap", "as_present"), "as a present", "Whether it is a present"),
    (("silent", "quiet", "mute"), "without a sound", "Whether to stay silent"),
    (("confirm", "confirmation", "ask_first"), "and ask me before you do it", "Whether to ask first"),
    (("repeat", "recurring", "every_day"), "every day", "Whether to repeat it daily"),
    (("private", "hidden", "secret"), "in private", "Whether it is private"),
    (("backup", "keep_copy", "save_copy"), "and keep a copy", "Whether to keep a copy"),
    (("notify", "send_alert", "alert"), "and tell me when it is done", "Whether to tell when it is done"),
)
"""Yes-or-no parameters: names, what says yes, description."""
