"""What a synthetic tool gives back, and the sentence that tells it."""

import json
import random

from training.synthetic import values
from training.synthetic.grammar import expand
from training.synthetic.tools.families import Family
from training.synthetic.tools.schema import bare_noun

_ERRORS = (
    "not found", "no free seats", "the service is down", "not allowed", "already exists", "no connection", "time out", "too many requests",
    "out of stock", "card declined", "unknown name", "closed on that day", "device is offline", "disk full",
)  # fmt: skip
# JSON keys with the kinds of their values, and sentences that say them. {thing} is the tool's noun, {done} its verb.
_DONE = (
    ("status=ok", "[Done!|All right.|Okay.|] {Thing} {is} {done}."),
    ("status=done id={code}", "{Thing} {is} {done}. The number is {id}. / [Done!|Okay.] The number is {id}."),
    ("ok=true price={price}", "{Thing} {is} {done}. It costs {price}. / [Done.|Okay.] The price is {price}."),
    ("success=true time={time}", "{Thing} {is} {done}. The time is {time}. / It is done, the time is {time}."),
    ("result=ok reference={code} price={price}", "{Thing} {is} {done} for {price}. Your reference is {reference}."),
    ("confirmation={code}", "[Done.|] {Thing} {is} {done}, and the confirmation is {confirmation}."),
    ("state=ok count={small_number}", "{Thing} {is} {done}. The count is {count}."),
)
_FOUND = (
    ("name={brand} price={price}", "I found {name} for {price}. / There is {name}, which costs {price}."),
    (
        "name={brand} rating={small_number}",
        "I found {name} with a rating of {rating}. / The best is {name}, rated {rating}.",
    ),
    ("title={title} owner={person}", 'There is "{title}" by {owner}. / I found "{title}", which belongs to {owner}.'),
    ("name={person} phone={telephone}", "I found {name}. The phone number is {phone}."),
    ("results={small_number} first={brand}", "There are {results} results. The first is {first}."),
    ("name={brand} address={street}", "{name} is at {address}. / I found {name}, the address is {address}."),
    ("date={date} place={city}", "It is on {date} in {place}. / The date is {date} and the place is {place}."),
)
_ASKED = {
    "weather": (("temperature={degrees} sky={weather}", "It is {temperature} degrees and {sky}. / The weather is {sky} with {temperature} degrees."),),
    "temperature": (("degrees={degrees}", "It is {degrees} degrees. / The temperature is {degrees} degrees."),),
    "traffic": (("delay={duration} road={street}", "There is a delay of {delay} at {road}."),),
    "route": (("distance={distance} time={duration}", "It is {distance} and takes {time}. / The way takes {time} for {distance}."),),
    "exchange rate": (("rate={rate}", "The rate is {rate}. / You get {rate} for one."),),
    "opening hours": (("opens={time} closes={time}", "It is open from {opens} to {closes}. / It opens at {opens} and closes at {closes}."),),
    "score": (("winner={brand} score={score}", "{winner} won {score}. / It ended {score}, and {winner} won."),),
    "stock price": (("price={price}", "The share is at {price}. / One share costs {price}."),),
    "sunset": (("sunset={time}", "The sun sets at {sunset}. / Sunset is at {sunset}."),),
    "population": (("population={number}", "{population} people live there. / The population is {population}."),),
    "recipe": (("dish={dish} minutes={degrees}", "You could make {dish}. It takes {minutes} minutes."),),
    "calories": (("calories={number}", "It has {calories} calories. / There are {calories} calories in it."),),
    "parcel status": (("status=on the way arrives={day}", "Your parcel is on the way and comes on {arrives}."),),
    "train delay": (("delay={duration}", "The train is {delay} late. / It has a delay of {delay}."),),
    "phone number": (("phone={telephone}", "The phone number is {phone}. / You can call {phone}."),),
    "bus times": (("next={time} line={small_number}", "The next bus leaves at {next}. It is line {line}."),),
    "snow depth": (("snow={degrees}", "The snow is {snow} centimetres deep."),),
    "water level": (("level={length}", "The water is at {level}. / The level is {level}."),),
    "tides": (("high={time} low={time}", "High tide is at {high}, low tide at {low}."),),
    "news": (("headline={headline}", "The news: {headline}. / The headline is: {headline}."),),
    "air quality": (("index={degrees} state={goodness}", "The air is {state}, with an index of {index}."),),
    "pollen count": (("pollen={goodness}", "The pollen count is {pollen}."),),
    "holidays": (("next={date}", "The next holiday is on {next}."),),
    "events": (("event={event} place={place} time={time}", "There is {event} at the {place}, at {time}."),),
    "fuel prices": (("litre={price} cheapest={brand}", "A litre costs {litre}, and {cheapest} is the cheapest."),),
    "jobs": (("job={job} company={brand}", "{company} is looking for a {job}."),),
    "room availability": (("free={code}", "Room {free} is free. / Yes, room {free}."),),
    "museum tickets": (("left={small_number} price={price}", "There are {left} tickets left, for {price} each."),),
}  # fmt: skip
_HEADLINES = (
    "the bridge is open again", "the museum gets a new roof", "bread becomes cheaper", "a lost dog is back", "the team wins the cup",
    "the river rises", "a new school opens", "the strike is over", "a rare bird was seen", "the mayor steps down", "trains run late", "snow in May",
)  # fmt: skip
_FINDING = ("find", "list", "compare", "recommend", "check", "track", "read", "get")
_FAILED = (
    "Sorry, that did not work: {error}.",
    "[I am sorry|Sorry], there was an error: {error}.",
    "That failed, because the answer was: {error}.",
    "It did not work. The tool says: {error}.",
)


def tool_result(family: Family, rng: random.Random) -> tuple[str, str]:
    """The JSON of a result, and the sentence that answers the person who asked."""
    if rng.random() < 0.12:
        error = rng.choice(_ERRORS)
        key = rng.choice(("error", "failed", "problem"))
        return json.dumps({key: error}), expand(rng.choice(_FAILED), rng, {"error": error})
    forms = _ASKED.get(family.noun) or (_FOUND if family.verb.name in _FINDING else _DONE)
    fields, sentences = rng.choice(forms)
    result = {}
    for name, value in (field.split("=", 1) for field in _fields(fields)):
        result[name] = _drawn(value, rng)
    plural = family.noun.endswith("s") and not family.noun.startswith("a ") and bare_noun(family) != "news"
    thing = bare_noun(family)
    slots = {key: str(value) for key, value in result.items()}
    slots |= {
        "Thing": f"{rng.choice(('The', 'Your'))} {thing}",
        "done": family.verb.done,
        "is": "are" if plural else "is",
    }
    sentence = expand(rng.choice(sentences.split(" / ")), rng, slots)
    return json.dumps(result, ensure_ascii=False), sentence[0].upper() + sentence[1:]


def _fields(text: str) -> list[str]:
    """Splits "a=on the way b={x}" before each name."""
    parts: list[str] = []
    for word in text.split():
        if "=" in word:
            parts.append(word)
        else:
            parts[-1] += f" {word}"
    return parts


def _drawn(value: str, rng: random.Random) -> str | int | float | bool:
    if value == "true":
        return True
    if not value.startswith("{"):
        return value
    match value.strip("{}"):
        case "headline":
            return rng.choice(_HEADLINES)
        case "goodness":
            return rng.choice(("very low", "low", "moderate", "high", "very high"))
        case "event":
            return rng.choice(("a concert", "a market", "a play", "a film", "a talk", "a race", "a fair"))
        case "degrees":
            return rng.randint(1, 39)
        case "score":
            return f"{rng.randint(0, 9)}:{rng.randint(0, 9)}"
        case "rate":
            return round(rng.uniform(0.1, 90), 2)
        case "small_number":
            return rng.randint(2, 40)
        case kind:
            return values.draw(kind, rng)
