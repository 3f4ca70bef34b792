"""Small jobs that need no knowledge: lists, counting, spelling, sums, repeating, short stories."""

from training.conversation import Message, assistant, user
from training.synthetic.grammar import Voice
from training.synthetic.words import COLOURS, HOBBIES, KINDS, NAMES, NUMBERS, OBJECTS, PETS, PLACES

_PLURALS = {
    "country": "countries", "city": "cities", "day of the week": "days of the week", "body part": "body parts",
    "piece of clothing": "pieces of clothing",
}  # fmt: skip


def _joined(words: list[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def listing(voice: Voice) -> list[Message]:
    """Name three fruits."""
    rng = voice.rng
    kind = rng.choice(sorted(KINDS))
    number = rng.randint(1, 5)
    number = min(number, len(KINDS[kind]))
    plural = kind if number == 1 else _PLURALS.get(kind, kind + "s")
    count = rng.choice((NUMBERS[number], str(number))) if number > 1 else rng.choice(("one", "a"))
    if count == "a" and kind[0] in "aeiou":
        count = "an"
    picks = rng.sample(KINDS[kind], number)
    asks = (
        "[Name|List|Give me|Tell me|Write] {count} {plural}[, please|].",
        "Can you [name|list|give me|tell me] {count} {plural}?",
        "I need {count} {plural}.",
        "Please [name|list|write down] {count} {plural}.",
        "Do you know {count} {plural}?",
        "Make a list of {count} {plural}.",
        "[What are|Say] {count} {plural}[?|.]",
        "Think of {count} {plural}.",
        "Help me find {count} {plural}.",
    )
    if number > 1 and rng.random() < 0.3:
        answer = "\n".join(f"{index}. {pick[0].upper() + pick[1:]}" for index, pick in enumerate(picks, 1))
    else:
        text = _joined(picks)
        answer = rng.choice(("", "Here you go: ", "Sure: ")) + text + "."
        answer = answer[0].upper() + answer[1:]
    return [user(voice.ask(asks, count=count, plural=plural)), assistant(answer)]


def counting(voice: Voice) -> list[Message]:
    """Count to seven."""
    last = voice.rng.randint(3, 12)
    down = voice.rng.random() < 0.2
    numbers = [str(number) for number in range(1, last + 1)]
    asks = (
        (f"Count [down |]from {last} to 1.",)
        if down
        else (
            f"Count [from 1 |]to {last}[, please|].",
            f"Can you count [from one |]to {NUMBERS[last]}?",
            f"Please count from 1 to {last}.",
        )
    )
    return [user(voice.ask(asks)), assistant(", ".join(reversed(numbers) if down else numbers) + ".")]


def spelling(voice: Voice) -> list[Message]:
    """Spell a word, or find its first or last letter."""
    rng = voice.rng
    word = rng.choice([word for word in (*OBJECTS, *PLACES, *PETS, *COLOURS, *NAMES) if " " not in word])
    kind = rng.randrange(4)
    if kind <= 1:
        asks = (
            f"[Spell|Please spell|Can you spell] [the word |]{word}[.|]",
            f"How do you spell {word}?",
            f"Spell '{word}'.",
        )
        answer = "-".join(word.upper()) + "."
    elif kind == 2:
        asks = (f"What is the first letter of {word}?", f"Which letter does {word} start with?")
        answer = f"The first letter of {word} is {word[0].upper()}."
    else:
        asks = (f"What is the last letter of {word}?", f"Which letter does {word} end with?")
        answer = f"The last letter of {word} is {word[-1].upper()}."
    return [user(voice.say(asks)), assistant(answer)]


def sums(voice: Voice) -> list[Message]:
    """Additions and subtractions with numbers up to twenty."""
    rng = voice.rng
    first, second = rng.randint(0, 10), rng.randint(0, 10)
    if rng.random() < 0.35:
        first, second = max(first, second), min(first, second)
        sign, word, result = "-", "minus", first - second
    else:
        sign, word, result = "+", "plus", first + second
    asks = (
        f"What is {first} {sign} {second}?",
        f"What is {first} {word} {second}?",
        f"{first} {sign} {second}",
        f"How much is {first} {word} {second}?",
        f"Calculate {first} {sign} {second}.",
        f"{first} {word} {second}[?| is?| equals what?]",
    )
    answer = rng.choice((f"{first} {sign} {second} = {result}.", f"{first} {word} {second} is {result}."))
    return [user(voice.ask(asks)), assistant(answer)]


def repeating(voice: Voice, sentences: list[str]) -> list[Message]:
    """Say a sentence again, or in capitals."""
    rng = voice.rng
    text = rng.choice(sentences)
    kind = rng.randrange(4)
    if kind == 0:
        asks = ("Write this in [capitals|capital letters|upper case]: {text}", "[Make|Put] this in capitals: {text}")
        answer = text.upper()
    else:
        asks = (
            "Repeat [after me|this]: {text}",
            "Say [this|the following]: {text}",
            'Say "{text}"',
            "Please repeat: {text}",
            "Copy this sentence: {text}",
            "Write [this|exactly this]: {text}",
        )
        answer = text
    return [user(voice.say(asks, text=text)), assistant(answer)]


_STORY_ASKS = (
    "Tell me a [short |]story[ please|].",
    "Tell me a story about a {hero}.",
    "Write a [short|little|very short] story[ about a {hero}|].",
    "Can you tell [me |]a story[ about a {hero}|]?",
    "I want [to hear |]a story[ about a {hero}|].",
    "Make up a story[ about a {hero}|].",
    "[Once upon a time...|Tell my child a bedtime story.]",
    "Do you know a story?",
    "Write me a tale about a {hero}.",
)
_STORY = (
    "[Once there was|Once upon a time there was] a [small|young|brave|little|clever] {hero} [named|called] {name}. "
    "{name} [lived|had a home] [near|beside|behind] the {place}. [One day|One morning|One evening], {name} found a "
    '[shiny|old|small|strange|beautiful] {thing}. ["Whose is this?"|"What a treasure!"|"I must find its owner,"] '
    'said {name}. [A friend|An old woman|A small child] came by and said, "[That is mine|I lost it yesterday|I was looking for it]!" '
    "{name} gave it back[ at once| with a smile|]. [From that day on, they were good friends.|They laughed and shared some cake.|"
    "Everyone was happy, and {name} slept well that night.]",
    "[A|One day a] {hero} named {name} [wanted|decided|hoped] to [visit|see] the {place}. [The road was long.|It was far away.|It was raining.] "
    "On the way {name} met a [lost|sad|tired|hungry] [child|friend|traveller|puppy]. {name} [stopped to help|shared some bread|gave it a {thing}]. "
    "[Together they went on.|Then they walked on together.] When they came to the {place}, [the sun was shining|everyone was singing|it was already dark]. "
    "[It was the best day of their lives.|They never forgot that day.|And so they became friends.]",
)


def story(voice: Voice) -> list[Message]:
    """A story of five sentences."""
    rng = voice.rng
    hero = rng.choice(
        ("cat", "dog", "mouse", "rabbit", "girl", "boy", "bird", "farmer", "bear", "fox", "robot", "princess")
    )
    slots = {"hero": hero, "name": rng.choice(NAMES), "place": rng.choice(PLACES), "thing": rng.choice(OBJECTS)}
    return [user(voice.ask(_STORY_ASKS, **slots)), assistant(voice.reply(_STORY, **slots))]


_POEM_ASKS = (
    "Write [me |]a [short |]poem[ about {thing}|].",
    "Can you write a poem[ about {thing}|]?",
    "Tell me a poem.",
    "A poem about {thing}, please.",
)
_POEM = (
    "[The sun is up|The day is new|The wind is free], the sky is [blue|clear|bright],\nI [sit and dream|think] of {thing} [at night|in the light].\n"
    "[A little song|A little joy], a little [rhyme|light],\n[And all is well|And we feel fine] [this time|tonight].",
    "[Soft|Sweet|Small] is the [rain|night|wind], and [slow|low|deep],\n[While birds and children|And all the houses] [go to sleep|sleep].\n"
    "I [think of|sing of] {thing} [once more|again],\nand [listen|listen softly] to the [rain|wind and rain].",
)


def poem(voice: Voice) -> list[Message]:
    """Four lines."""
    thing = voice.rng.choice(
        ("the sea", "a cat", "spring", "the moon", "a tree", "winter", "my dog", "love", "the rain", *HOBBIES[:6])
    )
    return [user(voice.ask(_POEM_ASKS, thing=thing)), assistant(voice.reply(_POEM, thing=thing))]


def choosing(voice: Voice) -> list[Message]:
    """Which of two is an animal; which is bigger."""
    rng = voice.rng
    if rng.random() < 0.5:
        right, wrong = rng.sample(sorted(KINDS), 2)
        pick = rng.choice(KINDS[right])
        pair = [pick, rng.choice([word for word in KINDS[wrong] if word not in KINDS[right]])]
        article = "an" if right[0] in "aeiou" else "a"
        rng.shuffle(pair)
        asks = (
            f"Which [one |]is {article} {right}: {pair[0]} or {pair[1]}?",
            f"{pair[0]}, {pair[1]}: which is {article} {right}?",
        )
        answer = f"{pick[0].upper() + pick[1:]} is {article} {right}."
    else:
        pair = rng.sample(range(1, 100), 2)
        bigger = rng.random() < 0.6
        word = rng.choice(("bigger", "larger")) if bigger else "smaller"
        asks = (f"Which [number |]is {word}, {pair[0]} or {pair[1]}?", f"What is {word}: {pair[0]} or {pair[1]}?")
        answer = f"{max(pair) if bigger else min(pair)} is {word}."
    return [user(voice.say(asks)), assistant(answer)]
