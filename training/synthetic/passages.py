"""Short fact passages with questions, answerable and not, and follow-up questions that refer back."""

from collections.abc import Sequence
from dataclasses import dataclass

from training.conversation import Message, assistant, user
from training.synthetic.grammar import Voice
from training.synthetic.words import (
    CITIES,
    COLOURS,
    DAYS,
    HOBBIES,
    JOBS,
    MEALS,
    MONTHS,
    NAMES,
    NUMBERS,
    OBJECTS,
    PETS,
    PLACES,
)


@dataclass(frozen=True, slots=True)
class Attribute:
    """One property that a passage may state: its values, the statements, the questions and the answers.

    `{who}` is the subject ("Anna", "the bakery"), `{value}` the property's value.
    """

    values: Sequence[str]
    statements: Sequence[str]
    questions: Sequence[str]
    answers: Sequence[str]


def _numbers(first: int, last: int, step: int = 1) -> tuple[str, ...]:
    return tuple(str(number) for number in range(first, last, step))


_TIMES = tuple(f"{hour} o'clock" for hour in NUMBERS[1:13]) + tuple(
    f"{hour}:{minute}" for hour in range(6, 22) for minute in (15, 30, 45)
)

PERSON = {
    "city": Attribute(
        CITIES,
        ("{who} lives in {value}.", "The home of {who} is in {value}.", "{who} has a [small |big |]flat in {value}.", "{who} moved to {value} [last year|years ago]."),
        ("Where does {who} live?", "In which city does {who} live?", "Which city does {who} live in?", "Where is the home of {who}?", "What city is {who} living in?"),
        ("{who} lives in {value}.", "In {value}."),
    ),
    "job": Attribute(
        JOBS,
        ("{who} is a {value}.", "{who} works as a {value}.", "By trade {who} is a {value}."),
        ("What is the job of {who}?", "What does {who} do for a living?", "What does {who} work as?", "What is {who}'s job?", "What job does {who} have?"),
        ("{who} is a {value}.", "{who} works as a {value}."),
    ),
    "age": Attribute(
        _numbers(5, 95),
        ("{who} is {value} years old.", "{who} turned {value} [this year|last week].", "{who} is {value}."),
        ("How old is {who}?", "What is the age of {who}?", "What is {who}'s age?", "How many years old is {who}?"),
        ("{who} is {value} years old.", "{value} years old."),
    ),
    "pet": Attribute(
        PETS,
        ("{who} has a {value}.", "{who} keeps a {value} [at home|as a pet].", "The pet of {who} is a {value}."),
        ("What pet does {who} have?", "Which animal does {who} have?", "What animal does {who} keep?", "What kind of pet does {who} own?"),
        ("{who} has a {value}.", "A {value}."),
    ),
    "hobby": Attribute(
        HOBBIES,
        ("{who} likes {value}.", "In the evening {who} enjoys {value}.", "The hobby of {who} is {value}.", "{who} spends every weekend {value}."),
        ("What is the hobby of {who}?", "What does {who} like to do?", "What does {who} do for fun?", "What is {who}'s hobby?"),
        ("{who} likes {value}.", "The hobby of {who} is {value}."),
    ),
    "meal": Attribute(
        MEALS,
        ("{who} likes to eat {value}.", "The favourite food of {who} is {value}.", "{who} loves {value}."),
        ("What does {who} like to eat?", "What is {who}'s favourite food?", "Which food does {who} like?"),
        ("{who} likes to eat {value}.", "The favourite food of {who} is {value}."),
    ),
    "colour": Attribute(
        COLOURS,
        ("The favourite colour of {who} is {value}.", "{who} always wears {value}.", "{who} has a {value} coat."),
        ("Which colour does {who} wear or like?", "What colour goes with {who}?", "What is the colour that {who} likes or wears?"),
        ("{value}.",),
    ),
    "day": Attribute(
        DAYS,
        ("{who} goes to the market on {value}.", "On {value} {who} goes to the market."),
        ("When does {who} go to the market?", "On which day does {who} go to the market?", "Which day is market day for {who}?"),
        ("{who} goes to the market on {value}.", "On {value}."),
    ),
    "object": Attribute(
        OBJECTS,
        ("Yesterday {who} bought a {value}.", "{who} bought a new {value}.", "At the shop {who} bought a {value}."),
        ("What did {who} buy?", "Which thing did {who} buy?", "What has {who} bought?"),
        ("{who} bought a {value}.", "A {value}."),
    ),
    "friend": Attribute(
        NAMES,
        ("The best friend of {who} is {value}.", "{who}'s best friend is called {value}."),
        ("Who is the best friend of {who}?", "Who is {who}'s best friend?", "What is the name of {who}'s best friend?"),
        ("The best friend of {who} is {value}.", "{value}."),
    ),
}  # fmt: skip
SHOP = {
    "opens": Attribute(
        _TIMES,
        ("{who} opens at {value}.", "The doors of {who} open at {value}.", "Opening time of {who} is {value}."),
        ("When does {who} open?", "At what time does {who} open?", "What time does {who} open?", "From when is {who} open?"),
        ("{who} opens at {value}.", "At {value}."),
    ),
    "closes": Attribute(
        _TIMES,
        ("{who} closes at {value}.", "The doors of {who} shut at {value}.", "Closing time of {who} is {value}."),
        ("When does {who} close?", "At what time does {who} close?", "What time does {who} shut?", "Until when is {who} open?"),
        ("{who} closes at {value}.", "At {value}."),
    ),
    "holiday": Attribute(
        DAYS,
        ("{who} is closed on {value}.", "On {value} {who} is closed.", "There is no visit to {who} on {value}."),
        ("On which day is {who} closed?", "Which day is {who} closed?", "What day is {who} not open?"),
        ("{who} is closed on {value}.", "On {value}."),
    ),
    "price": Attribute(
        _numbers(2, 60),
        ("A ticket for {who} costs {value} euros.", "The price of {who} is {value} euros.", "For {who} you pay {value} euros."),
        ("How much does {who} cost?", "What is the price of {who}?", "How much do you pay for {who}?", "What does a ticket for {who} cost?"),
        ("It costs {value} euros.", "{value} euros."),
    ),
    "owner": Attribute(
        NAMES,
        ("{who} belongs to {value}.", "The owner of {who} is {value}.", "{value} runs {who}."),
        ("Who owns {who}?", "Who is the owner of {who}?", "Who runs {who}?", "To whom does {who} belong?"),
        ("{value} owns {who}.", "{value}."),
    ),
    "built": Attribute(
        _numbers(1700, 2020),
        ("{who} was built in {value}.", "People built {who} in {value}.", "Since {value} there has been {who}."),
        ("When was {who} built?", "In which year was {who} built?", "What year is {who} from?"),
        ("{who} was built in {value}.", "In {value}."),
    ),
    "near": Attribute(
        tuple(f"the {place}" for place in PLACES),
        ("{who} is next to {value}.", "You find {who} behind {value}.", "{who} stands near {value}."),
        ("Where is {who}?", "Where can I find {who}?", "What is {who} close to?"),
        ("{who} is near {value}.", "It is near {value}."),
    ),
    "colour": Attribute(
        COLOURS,
        ("{who} has {value} walls.", "The walls of {who} are {value}.", "{who} is painted {value}."),
        ("What colour is {who}?", "Which colour does {who} have?", "What colour are the walls of {who}?"),
        ("{who} is {value}.", "{value}."),
    ),
}  # fmt: skip
EVENT = {
    "day": Attribute(
        DAYS,
        ("{who} is on {value}.", "{who} takes place on {value}.", "On {value} there is {who}."),
        ("On which day is {who}?", "What day is {who}?", "Which day does {who} take place?"),
        ("{who} is on {value}.", "On {value}."),
    ),
    "time": Attribute(
        _TIMES,
        ("{who} starts at {value}.", "The start of {who} is at {value}.", "{who} begins at {value}."),
        ("When does {who} start?", "At what time does {who} begin?", "What time does {who} start?"),
        ("{who} starts at {value}.", "At {value}."),
    ),
    "place": Attribute(
        tuple(f"the {place}" for place in PLACES),
        ("{who} is held in {value}.", "We meet for {who} at {value}.", "{who} will be at {value}."),
        ("Where is {who}?", "Where does {who} take place?", "Where is {who} held?", "What is the place of {who}?"),
        ("{who} is at {value}.", "At {value}."),
    ),
    "guests": Attribute(
        _numbers(3, 400),
        ("{value} people will come to {who}.", "{who} expects {value} guests.", "There are {value} guests at {who}."),
        ("How many people come to {who}?", "How many guests does {who} have?", "How many guests are there at {who}?"),
        ("{value} people.", "{value} guests come to {who}."),
    ),
    "month": Attribute(
        MONTHS,
        ("{who} was planned in {value}.", "The plan for {who} was made in {value}."),
        ("When was {who} planned?", "In which month was {who} planned?"),
        ("{who} was planned in {value}.", "In {value}."),
    ),
    "leader": Attribute(
        NAMES,
        ("{value} organises {who}.", "{who} is led by {value}.", "The host of {who} is {value}."),
        ("Who organises {who}?", "Who leads {who}?", "Who is the host of {who}?"),
        ("{value} organises {who}.", "{value}."),
    ),
    "food": Attribute(
        MEALS,
        ("There will be {value} at {who}.", "{who} ends with {value}.", "At {who} everyone gets {value}."),
        ("What food is there at {who}?", "What will people eat at {who}?", "What is there to eat at {who}?"),
        ("There will be {value}.", "{value}."),
    ),
}  # fmt: skip
_SUBJECTS = (
    (PERSON, NAMES),
    (SHOP, tuple(f"the {place}" for place in PLACES)),
    (EVENT, tuple(f"the {event}" for event in ("concert", "meeting", "party", "race", "lesson", "wedding", "play", "dance", "game", "fair", "talk", "picnic"))),
)  # fmt: skip
_FRAMES = (
    "{passage}\n\n{question}",
    "{passage} {question}",
    "{passage}\n{question}",
    "Passage: {passage}\nQuestion: {question}",
    "Read this: {passage}\n\n{question}",
    "[Here is a text|Text|Context]: {passage}\n\n{question}",
    "{question}\n\n{passage}",
    "Answer from the text. {passage} {question}",
    "Please read the text and answer.\n\n{passage}\n\n{question}",
)
_UNANSWERABLE = (
    "The passage does not say.",
    "The text does not say that.",
    "That is not in the text.",
    "The text does not say[, so I do not know|].",
)


def _start(text: str) -> str:
    return text[:1].upper() + text[1:]


@dataclass(frozen=True, slots=True)
class _Fact:
    who: str
    attribute: Attribute
    value: str

    def statement(self, voice: Voice) -> str:
        return _start(voice.say(self.attribute.statements, who=self.who, value=self.value))

    def question(self, voice: Voice) -> str:
        return voice.say(self.attribute.questions, who=self.who)

    def answer(self, voice: Voice) -> str:
        return _start(voice.reply(self.attribute.answers, who=self.who, value=self.value))


def passage(voice: Voice) -> list[Message]:
    """A passage of three to eight facts about one or two subjects, and one to three questions about it."""
    rng = voice.rng
    attributes, names = rng.choice(_SUBJECTS)
    facts: list[_Fact] = []
    missing: list[_Fact] = []
    for who in rng.sample(names, rng.choice((1, 2, 2))):
        kinds = rng.sample(sorted(attributes), rng.randint(3, 5))
        stated = [_Fact(who, attributes[kind], rng.choice(attributes[kind].values)) for kind in kinds]
        facts += stated[1:]
        missing.append(stated[0])  # asked about this subject, though the text does not say it
    if rng.random() < 0.4:
        rng.shuffle(facts)
    text = " ".join(fact.statement(voice) for fact in facts)

    def exchange() -> tuple[str, str]:
        if rng.random() < 0.25:
            return rng.choice(missing).question(voice), voice.reply(_UNANSWERABLE)
        fact = rng.choice(facts)
        return fact.question(voice), fact.answer(voice)

    question, answer = exchange()
    messages = [user(voice.say(_FRAMES, passage=text, question=question)), assistant(answer)]
    for _ in range(rng.choice((0, 0, 1, 2))):
        question, answer = exchange()
        if rng.random() < 0.3:
            question = f"And {question[0].lower()}{question[1:]}"
        messages += [user(question), assistant(answer)]
    return messages
