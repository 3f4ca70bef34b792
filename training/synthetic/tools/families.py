"""Families of synthetic tools: what they do to what. A family is a verb with a noun; whole nouns are held out."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verb:
    """What a tool does: the word in its name, what people say for it, and how it is reported."""

    name: str
    says: tuple[str, ...]
    done: str


@dataclass(frozen=True, slots=True)
class Family:
    """One verb with one noun. `question` families are asked for instead of ordered ("What is the weather ...?")."""

    group: str
    verb: Verb
    noun: str
    slots: tuple[str, ...]
    questions: tuple[str, ...] = ()

    @property
    def held_out(self) -> bool:
        """Whether training never sees it: one noun in eight, and the groups of HELD_OUT_GROUPS."""
        return self.group in HELD_OUT_GROUPS or is_held_out_noun(self.noun)


def is_held_out_noun(noun: str) -> bool:
    """Whether no tool for it is ever trained on: one noun in eight."""
    return hashlib.sha256(noun.encode()).digest()[0] % 8 == 0


HELD_OUT_GROUPS = ("garden",)

_VERBS = {
    verb.name: verb
    for verb in (
        Verb("book", ("book", "reserve"), "booked"),
        Verb("cancel", ("cancel", "call off"), "cancelled"),
        Verb("find", ("find", "search for", "look for"), "found"),
        Verb("track", ("track", "check the status of"), "tracked"),
        Verb("change", ("change", "modify", "edit"), "changed"),
        Verb("play", ("play", "put on"), "now playing"),
        Verb("download", ("download", "save"), "downloaded"),
        Verb("rate", ("rate", "give a rating to"), "rated"),
        Verb("recommend", ("recommend", "suggest"), "recommended"),
        Verb("start", ("start", "switch on", "turn on"), "running"),
        Verb("stop", ("stop", "switch off", "turn off"), "off"),
        Verb("set", ("set", "adjust"), "set"),
        Verb("lock", ("lock", "close"), "locked"),
        Verb("create", ("create", "make", "add", "set up"), "created"),
        Verb("delete", ("delete", "remove", "get rid of"), "deleted"),
        Verb("move", ("move", "shift"), "moved"),
        Verb("list", ("list", "show"), "listed"),
        Verb("send", ("send", "write"), "sent"),
        Verb("read", ("read", "read out", "open"), "read"),
        Verb("forward", ("forward", "pass on"), "forwarded"),
        Verb("order", ("order", "buy"), "ordered"),
        Verb("return", ("return", "send back"), "returned"),
        Verb("compare", ("compare prices for", "compare offers for"), "compared"),
        Verb("pay", ("pay", "settle"), "paid"),
        Verb("check", ("check", "look at", "inspect"), "checked"),
        Verb("update", ("update", "refresh"), "updated"),
        Verb("assign", ("assign", "hand over"), "assigned"),
        Verb("print", ("print", "print out"), "printed"),
        Verb("share", ("share", "show others"), "shared"),
        Verb("copy", ("copy", "duplicate"), "copied"),
        Verb("log", ("log", "record", "note down"), "recorded"),
        Verb("register", ("register", "sign up"), "registered"),
        Verb("repair", ("repair", "fix"), "repaired"),
        Verb("water", ("water", "give water to"), "watered"),
        Verb("plant", ("plant", "put into the ground"), "planted"),
        Verb("get", ("get",), "found"),
    )
}
# group: verbs; nouns; slots that fit
_ORDERED = {
    "travel": ("book cancel find change track", "a flight|a train ticket|a bus seat|a ferry|a hotel room|a taxi|a rental car|a sleeper cabin|a city tour|a camping site|a bicycle", "origin destination date time people limit code"),
    "media": ("play find download rate recommend", "a song|a film|a podcast|an audiobook|a radio show|a video game|a playlist|a documentary|a cartoon|a concert", "title owner category language minutes brand"),
    "home": ("start stop set", "the lamp|the heater|the fan|the oven|the alarm|the blinds|the washing machine|the vacuum robot|the television|the coffee machine|the air conditioner|the dishwasher|the speaker", "room level time minutes colour"),
    "calendar": ("create delete move list change", "a meeting|a reminder|an event|an appointment|a task|a birthday|a deadline|a shift|an interview|a holiday", "title date time person minutes priority"),
    "messages": ("send read delete forward", "an email|a message|a postcard|a letter|a voice note|a newsletter|an invitation|a photo message|a fax", "person note email date priority"),
    "shop": ("order find return compare", "a pizza|a pair of shoes|flowers|groceries|a laptop|a jacket|a birthday cake|office paper|a sofa|cat food|a toy|garden chairs|medicine", "count size colour street limit brand date items"),
    "restaurant": ("book find cancel", "a table|a lunch|a catering service|a cooking class|a wine tasting|a brunch", "city date time people limit category"),
    "money": ("send pay create check", "a payment|a bill|an invoice|a donation|a bank transfer|a refund|a loan|a salary|a parking fine", "amount person date note code"),
    "work": ("create update delete assign list", "a ticket|an issue|a project|a contract|a report|a customer record|a work order|a budget|a job offer|a review|a sprint", "title owner priority date code note"),
    "files": ("read delete copy share print", "a file|a folder|a photo|a document|a spreadsheet|a presentation|a scan|a drawing|a backup", "title person date code sort"),
    "health": ("log list", "my weight|a meal|a workout|my sleep|a medicine|my steps|a blood test|a headache|a glass of water", "count date time minutes note"),
    "school": ("create find update list", "a course|a student|an exam|a homework|a lesson|a library book|a grade|a school trip|a study group", "title person date category code"),
    "factory": ("start stop check repair set", "the pump|the conveyor|the robot arm|the printer|the boiler|the sensor|the crane|the generator|the drill|the freezer|the valve", "code level minutes time priority"),
    "garden": ("water plant check", "the roses|the lawn|the tomatoes|the hedge|the greenhouse|the apple trees|the herbs", "date time minutes count note"),
    "people": ("register find update delete", "a member|a guest|a volunteer|a patient|an employee|a supplier|a driver|a tenant|a club|a team", "person city email code date"),
}  # fmt: skip
# noun: questions (the phrases follow), slots. The verb of all is "get".
_ASKED = {
    "weather": ("What is the weather[ like|]|How is the weather|Tell me the weather|Will it rain", "city date unit"),
    "temperature": ("What is the temperature|How [warm|cold] is it|How many degrees are there", "city date unit"),
    "traffic": ("How is the traffic|Is there a lot of traffic|Are there any traffic jams", "city time"),
    "news": ("What is the news|What is new|Give me the news|Any headlines", "category city date"),
    "route": ("What is the [best|fastest] way|How do I get|Show me the way|How long is the drive", "origin destination"),
    "exchange rate": ("What is the exchange rate|Give me the exchange rate", "date amount"),
    "opening hours": ("What are the opening hours|When are they open|Until when is it open", "brand city date"),
    "bus times": ("When does the bus leave|What are the bus times|When is the next bus", "origin destination time"),
    "air quality": ("How is the air|What is the air quality|Is the air clean", "city date"),
    "tides": ("When is high tide|What are the tides", "city date"),
    "recipe": ("What can I cook|Give me a recipe|Do you have a recipe", "items people minutes"),
    "score": ("What was the score|How did the game end|Who won the game", "brand date"),
    "stock price": ("What is the stock price|How much is a share|How are the shares doing", "brand date"),
    "sunset": ("When does the sun set|What time is sunset", "city date"),
    "pollen count": ("How much pollen is in the air|What is the pollen count", "city date"),
    "snow depth": ("How much snow is there|How deep is the snow", "city date unit"),
    "population": ("How many people live|What is the population", "city"),
    "holidays": ("Which holidays are there|What are the public holidays", "city date"),
    "events": ("What is going on|Which events are there|What can I do", "city date category"),
    "phone number": ("What is the phone number|Give me the number", "person city"),
    "calories": ("How many calories are there|Count the calories", "items"),
    "fuel prices": ("How much is petrol|What does fuel cost", "city date sort"),
    "water level": ("How high is the water|What is the water level", "city date unit"),
    "jobs": ("Which jobs are there|Are there any jobs", "city category limit"),
    "parcel status": ("Where is my parcel|When will my parcel come|What is the status of my parcel", "code brand"),
    "room availability": ("Is there a free room|Which rooms are free", "date time people"),
    "train delay": ("Is the train late|How late is the train", "code origin destination"),
    "museum tickets": ("How much are museum tickets|Are there any museum tickets left", "city date people"),
}  # fmt: skip


def _families() -> tuple[Family, ...]:
    found = [
        Family(group, _VERBS[verb], noun, tuple(slots.split()))
        for group, (verbs, nouns, slots) in _ORDERED.items()
        for verb in verbs.split()
        for noun in nouns.split("|")
    ]
    for noun, (questions, slots) in _ASKED.items():
        found.append(Family(noun, _VERBS["get"], noun, tuple(slots.split()), tuple(_outside_brackets(questions))))
    return tuple(found)


def _outside_brackets(text: str) -> list[str]:
    """Splits at the bars that part questions, not at those within [a|b]."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "[") - (letter == "]")
        if letter == "|" and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


ANY_VERBS = tuple(
    _VERBS[name] for name in "find change create delete move list send order check update track rate".split()
)
"""Verbs that go with any noun."""
FAMILIES = _families()


def free_nouns(nouns: Iterable[str], *, held_out: bool) -> list[str]:
    """Those of a split that are in no family."""
    taken = {word for family in FAMILIES for word in family.noun.split()}
    return [noun for noun in nouns if noun not in taken and is_held_out_noun(noun) == held_out]
