"""The few facts that the model is meant to know, and admitting that it does not know the rest."""

from collections.abc import Sequence

from training.conversation import Message, assistant, user
from training.synthetic.grammar import Voice
from training.synthetic.words import DAYS, MONTHS, NUMBERS

CAPITALS = dict(
    pair.split(":")
    for pair in (
        "France:Paris|Germany:Berlin|Italy:Rome|Spain:Madrid|Portugal:Lisbon|England:London|Scotland:Edinburgh|"
        "Ireland:Dublin|Austria:Vienna|Switzerland:Bern|Poland:Warsaw|Greece:Athens|Norway:Oslo|Sweden:Stockholm|"
        "Finland:Helsinki|Denmark:Copenhagen|Belgium:Brussels|Hungary:Budapest|Russia:Moscow|Turkey:Ankara|"
        "Egypt:Cairo|Kenya:Nairobi|Japan:Tokyo|China:Beijing|India:New Delhi|Canada:Ottawa|Mexico:Mexico City|"
        "Brazil:Brasília|Argentina:Buenos Aires|Peru:Lima|Cuba:Havana|Australia:Canberra|Iran:Tehran|Iraq:Baghdad|"
        "Thailand:Bangkok|the United States:Washington|the Netherlands:Amsterdam"
    ).split("|")
)
OPPOSITES = dict(
    pair.split(":")
    for pair in (
        "hot:cold|big:small|good:bad|up:down|day:night|old:young|fast:slow|happy:sad|light:dark|full:empty|rich:poor|"
        "open:closed|wet:dry|hard:soft|long:short|high:low|early:late|loud:quiet|left:right|in:out|black:white|"
        "love:hate|begin:end|buy:sell|win:lose|strong:weak|thick:thin|true:false|near:far|clean:dirty|easy:difficult"
    ).split("|")
)
SOUNDS = {"dog": "barks", "cat": "meows", "cow": "moos", "duck": "quacks", "lion": "roars", "sheep": "bleats"} | {
    "horse": "neighs",
    "wolf": "howls",
    "bee": "buzzes",
    "snake": "hisses",
    "pig": "grunts",
    "owl": "hoots",
}
YOUNG = {"dog": "puppy", "cat": "kitten", "cow": "calf", "sheep": "lamb", "horse": "foal", "lion": "cub"} | {
    "duck": "duckling",
    "goat": "kid",
    "bear": "cub",
    "frog": "tadpole",
    "hen": "chick",
    "deer": "fawn",
}
LEGS = {
    "dog": 4,
    "cat": 4,
    "spider": 8,
    "bird": 2,
    "insect": 6,
    "horse": 4,
    "snake": 0,
    "fish": 0,
    "person": 2,
    "ant": 6,
}
COLOURS_OF = {"the sky": "blue", "grass": "green", "snow": "white", "blood": "red", "a banana": "yellow"} | {
    "coal": "black",
    "a lemon": "yellow",
    "milk": "white",
    "a tomato": "red",
    "a carrot": "orange",
    "the sun": "yellow",
}
FACTS: Sequence[tuple[str, str]] = (
    ("How many days [are there in|does] a week[ have|]?", "A week has seven days."),
    ("How many months [are there in|does] a year[ have|]?", "A year has twelve months."),
    ("How many days [are there in|does] a year[ have|]?", "A year has 365 days."),
    ("How many hours [are there in|does] a day[ have|]?", "A day has 24 hours."),
    ("How many minutes [are there in|does] an hour[ have|]?", "An hour has 60 minutes."),
    ("How many seconds are in a minute?", "A minute has 60 seconds."),
    ("How many seasons are there?", "There are four seasons: spring, summer, autumn and winter."),
    ("How many letters are in the alphabet?", "The English alphabet has 26 letters."),
    ("How many planets are [there|in the solar system]?", "There are eight planets in the solar system."),
    ("How many continents are there?", "There are seven continents."),
    ("What is the largest [planet|planet in the solar system]?", "Jupiter is the largest planet."),
    ("What is the largest ocean?", "The Pacific is the largest ocean."),
    ("What is the highest mountain[ in the world| on earth|]?", "Mount Everest is the highest mountain."),
    ("What is the [largest|biggest] animal?", "The blue whale is the largest animal."),
    ("What is the fastest [land |]animal?", "The cheetah is the fastest animal on land."),
    ("What is the tallest animal?", "The giraffe is the tallest animal."),
    ("Who wrote [Hamlet|Romeo and Juliet|Macbeth]?", "William Shakespeare wrote it."),
    ("Who painted the Mona Lisa?", "Leonardo da Vinci painted the Mona Lisa."),
    ("What do bees make?", "Bees make honey."),
    ("What do cows [give|make]?", "Cows give milk."),
    ("What is ice?", "Ice is frozen water."),
    ("What is water made of?", "Water is made of hydrogen and oxygen."),
    ("At what temperature does water [boil|freeze]?", "Water freezes at 0 degrees Celsius and boils at 100."),
    ("Where does the sun rise?", "The sun rises in the east."),
    ("Where does the sun set?", "The sun sets in the west."),
    ("Is the earth [round|flat]?", "The earth is round."),
    ("What does the earth [go|turn|move] around?", "The earth goes around the sun."),
    ("What goes around the earth?", "The moon goes around the earth."),
    ("Is a [whale|dolphin] a fish?", "No, it is a mammal."),
    ("Is a tomato a fruit?", "Yes, a tomato is a fruit, though we use it as a vegetable."),
    ("Why is the sky blue?", "The air scatters blue light more than other colours."),
    ("What is a computer?", "A computer is a machine that works with data and follows programs."),
    (
        "What is [a language model|an AI model|an LLM]?",
        "A language model is a program that predicts the next word of a text.",
    ),
    ("What is a dog?", "A dog is an animal that many people keep as a pet."),
    ("What is a cat?", "A cat is a small animal with soft fur that many people keep as a pet."),
    ("What is a book?", "A book is a set of pages with words to read."),
    ("What is [the sun|a star]?", "The sun is a star, a great ball of hot gas."),
    ("What is the moon?", "The moon is a ball of rock that goes around the earth."),
    ("What is rain?", "Rain is water that falls from clouds."),
    ("What is a tree?", "A tree is a tall plant with a trunk, branches and leaves."),
    ("What is a [friend|good friend]?", "A friend is a person you like and trust."),
    ("What is love?", "Love is a strong feeling of caring for someone."),
    ("What is music?", "Music is sound that people make for joy, with voices or instruments."),
    (
        "What is the meaning of life?",
        "That is a big question for a small model. Many people say: to love and to be kind.",
    ),
    ("How do I make tea?", "Boil some water, pour it over the tea, wait a few minutes, and enjoy."),
    ("How do I boil an egg?", "Put the egg in boiling water for seven to ten minutes."),
    ("How [can|do] I sleep better?", "Go to bed at the same time each day, and keep the room dark and quiet."),
    ("How [can|do] I learn English?", "Read a little each day, listen, and speak with people as often as you can."),
    (
        "How [can|do] I [make|find] [new |]friends?",
        "Smile, ask people questions, and join a club for something you like.",
    ),
    ("How do I stay healthy?", "Eat vegetables, sleep well, drink water and move every day."),
    ("How [can|do] I save money?", "Write down what you spend, and put a little aside each month."),
)
_UNKNOWN_ASKS = (
    "Who [is|was] {topic}?",
    "What is {topic}?",
    "Tell me [something |]about {topic}.",
    "What do you know about {topic}?",
    "When did {topic} [begin|happen|start]?",
    "[Where|When] was {topic} [born|founded|built]?",
    "Explain {topic}[ to me|].",
    "Why is {topic} famous?",
    "Can you explain {topic}?",
    "Give me facts about {topic}.",
    "How does {topic} work?",
    "Write [an essay|a report|a long text] about {topic}.",
    "[What|How] about {topic}?",
    "Have you heard of {topic}?",
    "What can you tell me about {topic}?",
    "What happened to {topic}?",
    "[How old|How big|How good|How long] is {topic}?",
    "[Who|What] [made|started|led|is behind] {topic}?",
    "[Describe|Define|Summarise] {topic}[ for me| in one sentence| briefly|].",
    "[Teach|Ask|Quiz] me about {topic}.",
    "[I need to know|I want to learn|I am reading] about {topic}.",
    "[In|From] which [year|country|century] is {topic}?",
    "[Is|Was] {topic} [good|big|old|important|real]?",
    "{topic}?",
    "[My teacher|My son|A friend] asked me about {topic}. [What should I say?|Can you help?|Any idea?]",
    "[Where|How] can I [see|find|visit] {topic}?",
    "[Why|When|How] did {topic} become famous?",
)
_UNKNOWN_REPLIES = (
    "I do not know much about {topic}. [I am a small model.|If you give me a text about it, I can look for answers there.|]",
    "[Sorry, |]I do not know {topic} [well enough to say|well]. [Give me a short text about it and ask me again.|I know only a little about the world.|]",
    "I am not sure. I am a small model and I know little about {topic}.",
    "That is more than I know. [I would have to guess, so I had better not.|Please look it up in a good book or on the web.|]",
    "I cannot tell you about {topic}, because I [never learned enough about it|know very few facts]. [If you paste a text, I can read it for you.|]",
    "[Honestly, |]I do not know. [A small model like me holds few facts.|My knowledge of {topic} is too poor to be useful.|]",
    "{topic} is [beyond me|not something I know well]. [Can you give me a text about it?|An encyclopedia will serve you better.|]",
)
_CHECKED = (
    "{answer}",
    "{answer}",
    "{answer}",
    "[I think |]{answer}",
    "{answer} [Anything else?|Would you like to know more?|]",
)


def simple_fact(voice: Voice) -> list[Message]:
    """A question whose answer is in this file."""
    rng = voice.rng
    kind = rng.randrange(9)
    if kind <= 1:
        # These are learned by heart, so every fact has to be seen; only the wording is held out elsewhere.
        ask, answer = rng.choice(FACTS)
        asks = (ask,)
    elif kind <= 3:
        country, capital = rng.choice(sorted(CAPITALS.items()))
        asks = (
            f"What is the capital[ city|] of {country}?",
            f"Which city is the capital of {country}?",
            f"What's the capital of {country}?",
            f"{country[0].upper() + country[1:]}: what is its capital?",
            f"Name the capital of {country}.",
            f"Do you know the capital of {country}?",
            f"Tell me the capital of {country}.",
            f"The capital of {country} is which city?",
        )
        answer = rng.choice((f"The capital of {country} is {capital}.", f"{capital} is the capital of {country}."))
    elif kind == 4:
        word, opposite = rng.choice(sorted(OPPOSITES.items()))
        if rng.random() < 0.5:
            word, opposite = opposite, word
        asks = (
            f"What is the opposite of {word}?",
            f"[Tell me|Give me|Name] the opposite of {word}.",
            f"What's the opposite of '{word}'?",
        )
        answer = f"The opposite of {word} is {opposite}."
    elif kind == 5:
        animal, sound = rng.choice(sorted(SOUNDS.items()))
        asks = (
            f"What [sound|noise] does a {animal} make?",
            f"What does a {animal} [say|do]?",
            f"How does a {animal} sound?",
        )
        answer = f"A {animal} {sound}."
    elif kind == 6:
        animal, young = rng.choice(sorted(YOUNG.items()))
        asks = (f"What is a [young|baby] {animal} called?", f"What do you call a [baby|young] {animal}?")
        answer = f"A young {animal} is called a {young}."
    elif kind == 7:
        animal, legs = rng.choice(sorted(LEGS.items()))
        article = "an" if animal[0] in "aeiou" else "a"
        asks = (f"How many legs does {article} {animal} have?", f"How many legs has {article} {animal}?")
        answer = f"{article.capitalize()} {animal} has {NUMBERS[legs] if legs else 'no'} legs."
    else:
        thing, colour = rng.choice(sorted(COLOURS_OF.items()))
        asks = (f"What colo[u|]r is {thing}?", f"Which colour does {thing} have?", f"Is {thing} {colour}?")
        answer = f"{thing[0].upper() + thing[1:]} is {colour}."
    return [user(voice.ask(asks)), assistant(voice.reply(_CHECKED, answer=answer))]


def calendar(voice: Voice) -> list[Message]:
    """What comes before or after a day, a month or a small number."""
    rng = voice.rng
    names = rng.choice((DAYS, MONTHS, NUMBERS))
    index = rng.randrange(1, len(names) - 1)
    after = rng.random() < 0.7
    answer = names[index + 1 if after else index - 1]
    word = "after" if after else "before"
    asks = (
        f"What comes {word} {names[index]}?",
        f"Which [one |]comes {word} {names[index]}?",
        f"{names[index]}: what comes {word}?",
        f"What is {word} {names[index]}?",
    )
    start = answer[0].upper() + answer[1:]
    return [user(voice.ask(asks)), assistant(f"{start} comes {word} {names[index]}.")]


def unknown_topic(voice: Voice, topics: Sequence[str]) -> list[Message]:
    """A question about one of `topics` that the model should not try to answer."""
    topic = voice.rng.choice(topics)
    return [user(voice.say(_UNKNOWN_ASKS, topic=topic)), assistant(voice.reply(_UNKNOWN_REPLIES, topic=topic))]
