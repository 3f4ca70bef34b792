"""References to what was said before: names, likes, and other facts that the person told."""

from training.conversation import Message, assistant, user
from training.synthetic.grammar import Voice
from training.synthetic.words import CITIES, COLOURS, HOBBIES, JOBS, MEALS, NAMES, PETS

_FACTS = {
    "name": (
        NAMES,
        ("My name is {value}.", "I am {value}.", "Call me {value}.", "I'm {value}, by the way."),
        ("[Nice to meet you|Hello|Hi], {value}!", "[Nice to meet you|Welcome], {value}. [How can I help you?|]"),
        ("What is my name?", "What's my name?", "Do you [know|remember] my name?", "Who am I?", "How am I called?", "Say my name.", "Can you tell me my name?", "Did I tell you my name?"),
        ("Your name is {value}.", "You are {value}."),
        "your name",
    ),
    "city": (
        CITIES,
        ("I live in {value}.", "I come from {value}.", "My home is in {value}.", "I am from {value}."),
        ("{value} sounds [nice|interesting|like a good place]. [Do you like it there?|]", "I see, you live in {value}."),
        ("Where do I live?", "Where am I from?", "Which city do I live in?", "Do you remember where I live?", "In which city is my home?"),
        ("You live in {value}.", "You said that you live in {value}."),
        "where you live",
    ),
    "job": (
        JOBS,
        ("I work as a {value}.", "I am a {value}.", "My job is {value}."),
        ("[Being a {value} must be interesting.|That is an interesting job.] [Do you enjoy it?|]", "A {value}! [Do you like your work?|How nice.]"),
        ("What is my job?", "What do I do[ for a living| for work|]?", "What do I work as?", "Do you remember my job?"),
        ("You are a {value}.", "You work as a {value}."),
        "your job",
    ),
    "pet": (
        PETS,
        ("I have a {value}.", "I own a {value}.", "We have a {value} at home."),
        ("A {value}! [What is its name?|How nice.|I hope it is well.]", "A {value} is a nice pet."),
        ("What pet do I have?", "Which animal do I have?", "What kind of pet do I have?", "What animal lives with me?"),
        ("You have a {value}.", "Your pet is a {value}."),
        "your pet",
    ),
    "colour": (
        COLOURS,
        ("My favourite colour is {value}.", "I like {value} best.", "I love the colour {value}.", "My favorite color is {value}."),
        ("{value} is a [nice|good|lovely] colour.", "I see, you like {value}."),
        ("What is my favourite colour?", "Which colour do I like[ best|]?", "What colour do I love?", "What's my favorite color?"),
        ("Your favourite colour is {value}.", "You like {value} best."),
        "your favourite colour",
    ),
    "meal": (
        MEALS,
        ("My favourite food is {value}.", "I love {value}.", "I like to eat {value}."),
        ("[Yum!|Good choice!|That sounds tasty.] [Do you cook it yourself?|]", "I see, you like {value}."),
        ("What is my favourite food?", "What do I like to eat?", "Which food do I like?", "What food do I love?"),
        ("Your favourite food is {value}.", "You like {value}."),
        "your favourite food",
    ),
    "hobby": (
        HOBBIES,
        ("I like {value}.", "My hobby is {value}.", "I enjoy {value}."),
        ("[That sounds fun.|Nice!] [How often do you do it?|]", "I see, you enjoy {value}."),
        ("What is my hobby?", "What do I like to do?", "What do I enjoy?", "Which hobby do I have?"),
        ("You like {value}.", "Your hobby is {value}."),
        "your hobby",
    ),
    "age": (
        tuple(str(age) for age in range(6, 90)),
        ("I am {value} years old.", "I turned {value} last week.", "My age is {value}."),
        ("{value} is a good age.", "I see, you are {value} years old."),
        ("How old am I?", "What is my age?", "Do you remember my age?", "How many years old am I?"),
        ("You are {value} years old.", "You said that you are {value}."),
        "your age",
    ),
}  # fmt: skip
_UNTOLD = (
    "You have not told me {what}[ yet|].",
    "I do not know {what}. [You have not told me.|Will you tell me?]",
)


def remembered(voice: Voice, between: list[Message]) -> list[Message]:
    """The person tells one to three facts, talks about something else, and asks for one of the facts.

    One time in five the question is about a fact that was not told, and the model says so.
    """
    rng = voice.rng
    kinds = rng.sample(sorted(_FACTS), rng.randint(2, 4))
    untold = rng.random() < 0.2
    told, asked = (kinds[:-1], kinds[-1]) if untold else (kinds[1:] or kinds, rng.choice(kinds[1:] or kinds))
    values = {kind: rng.choice(_FACTS[kind][0]) for kind in told}
    messages: list[Message] = []
    if len(told) > 1 and rng.random() < 0.5:
        text = " ".join(voice.reply(_FACTS[kind][1], value=values[kind]) for kind in told)
        reply = voice.reply(_FACTS[told[-1]][2], value=values[told[-1]])
        messages += [user(text), assistant(_capitalised(reply))]
    else:
        for kind in told:
            statement = voice.ask(_FACTS[kind][1], value=values[kind])
            reply = voice.reply(_FACTS[kind][2], value=values[kind])
            messages += [user(statement), assistant(_capitalised(reply))]
    messages += between
    _, _, _, asks, answers, what = _FACTS[asked]
    answer = voice.reply(_UNTOLD, what=what) if untold else voice.reply(answers, value=values[asked])
    return [*messages, user(voice.ask(asks)), assistant(answer)]


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]
