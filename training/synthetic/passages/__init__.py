"""Short passages of plain facts with questions: the answer is a span of the passage, or that it does not say."""

import random
import re
from dataclasses import dataclass, field

from training.conversation import Message, assistant, user
from training.corpus.example import Example
from training.corpus.reading import NO_ANSWER
from training.synthetic import values
from training.synthetic.grammar import Voice, expand
from training.synthetic.passages.events import EVENTS
from training.synthetic.passages.form import Attribute, Domain, Story
from training.synthetic.passages.people import PEOPLE
from training.synthetic.passages.places import PLACES
from training.synthetic.passages.stories import STORIES
from training.synthetic.passages.things import THINGS

SOURCE = "synthetic_passages"
DOMAINS = (*PEOPLE, *PLACES, *THINGS, *EVENTS)
UNANSWERABLE_SHARE = 0.25
_STORY_SHARE = 0.3
_FRAMES = (
    "{passage}\n\n{question}",
    "{passage} {question}",
    "{passage}\n{question}",
    "{passage}\n\nQuestion: {question}",
    "[Passage|Text|Context]: {passage}\nQuestion: {question}",
    "Read this: {passage}\n\n{question}",
    "[Here is a text|This is a text]: {passage}\n\n{question}",
    "[Look at this text|Use this text]: {passage}\n\n{question}",
    "{question}\n\n{passage}",
    "Answer from the text. {passage} {question}",
    '"{passage}" {question}',
    "{passage}\n\n[Now tell me|Tell me|My question]: {question}",
    "[Text|Passage]:\n{passage}\n\nQ: {question}",
    "{passage}\n---\n{question}",
    "I read this: {passage} {question}",
    "Please read the text and answer.\n\n{passage}\n\n{question}",
)
_PLAIN_FRAME_SHARE = 0.35
_FILLERS = (
    "[Many|Most|Some] people know that.",
    "[That|This] is all we know [for now|so far].",
    "There is more to say, but [not here|not today].",
    "[Nobody|No one] was surprised.",
    "It was in the [news|paper] [once|last week].",
    "[You can ask anyone|Ask the neighbours|Everyone here says so].",
    "That [is nothing new|has not changed|may change soon].",
    "[Some|A few] details are still open.",
    "[Of course, there are other views.|Opinions differ.|People like to talk about it.]",
    "[It is a long story.|That is another story.|More about that later.]",
)
_PRONOUNS = {"she": ("she", "her", "her"), "he": ("he", "his", "him"), "it": ("it", "its", "it")}
_MENTION = re.compile(r"\{([spo])\}")
_SLOT = re.compile(r"\{(\w+)(?::([^{}]+))?\}")


@dataclass(frozen=True, slots=True)
class _Question:
    text: str
    answer: str  # empty where the passage does not say


@dataclass(slots=True)
class _Text:
    """A passage with what can be asked about it."""

    passage: str
    answerable: list[_Question] = field(default_factory=list)
    unanswerable: list[_Question] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Subject:
    name: str
    pronoun: str

    def fill(self, template: str, *, named: bool = True) -> str:
        """Puts the subject into a template: its name first (or a pronoun throughout), then pronouns."""
        forms = [(self.name, f"{self.name}'s", self.name)] if named else []

        def mention(match: re.Match[str]) -> str:
            form = forms.pop() if forms else _PRONOUNS[self.pronoun]
            return form["spo".index(match[1])]

        return _MENTION.sub(mention, template)


@dataclass(frozen=True, slots=True)
class _Fact:
    subject: _Subject
    attribute: Attribute
    value: str


def passage(voice: Voice) -> Example:
    """A passage and one to five questions about it, one in four of which it does not answer.

    Held-out passages come from domains and stories that training never sees, with one question each.
    """
    rng = voice.rng
    if rng.random() < _STORY_SHARE:
        text = _told(rng.choice([story for story in STORIES if story.held_out == voice.held_out]), voice)
    else:
        text = _stated(rng.choice([domain for domain in DOMAINS if domain.held_out == voice.held_out]), voice)
    count = 1 if voice.held_out else rng.choice((1, 1, 2, 3, 4, 5))
    messages: list[Message] = []
    for question in _drawn(text, count, rng):
        asked = voice.typed(question.text) if rng.random() < 0.3 else question.text
        if not messages:
            frame = _FRAMES[0] if rng.random() < _PLAIN_FRAME_SHARE else voice.wording(_FRAMES)
            asked = expand(frame, rng, {"passage": text.passage, "question": asked})
        elif rng.random() < 0.2:
            asked = f"And {asked[0].lower()}{asked[1:]}"
        messages += [user(asked), assistant(question.answer or rng.choice(NO_ANSWER))]
    answers = (question.answer,) if question.answer else ()
    return Example(
        SOURCE, voice.held_out, messages=tuple(messages), answers=answers, answerable=bool(answers), kind="passage"
    )


def _drawn(text: _Text, count: int, rng: random.Random) -> list[_Question]:
    """Different questions in random order."""
    answerable = rng.sample(text.answerable, len(text.answerable))
    unanswerable = rng.sample(text.unanswerable, len(text.unanswerable))
    questions = []
    for _ in range(count):
        pool = unanswerable if rng.random() < UNANSWERABLE_SHARE and unanswerable else answerable
        if pool:
            questions.append(pool.pop())
    return questions or text.answerable[:1]


def _value(kind: str, rng: random.Random, taken: set[str]) -> str:
    """A value that the passage does not hold yet."""
    while True:
        value = values.draw(kind, rng) if kind in values.KINDS else rng.choice(kind.split("|"))
        value = _SLOT.sub(lambda match: values.draw(match[1], rng), value)
        if value not in taken:
            taken.add(value)
            return value


def _stated(domain: Domain, voice: Voice) -> _Text:
    """One or two subjects, up to seven facts about them."""
    rng = voice.rng
    taken: set[str] = set()
    for_two = [each for each in domain.attributes if _names_its_subject(each)]
    subjects = _subjects(domain, rng, rng.choice((1, 1, 2)) if len(for_two) > 2 else 1, taken)
    facts: list[_Fact] = []
    missing: list[tuple[_Subject, Attribute]] = []
    usable = domain.attributes if len(subjects) == 1 else for_two
    size = rng.randint(2, 7)
    for subject in subjects:
        attributes = rng.sample(usable, min(len(usable), max(2, size // len(subjects) + 1)))
        missing += [(subject, attributes.pop())]
        facts += [_Fact(subject, each, _value(each.kind, rng, taken)) for each in attributes]
    if len(subjects) > 1 and rng.random() < 0.4:
        rng.shuffle(facts)
    spoken_of = [(fact.subject, fact.attribute) for fact in facts]
    known = [*spoken_of, *missing]
    unsaid = [(subject, each) for subject in subjects for each in domain.attributes if (subject, each) not in known]
    missing += rng.sample(unsaid, min(2, len(unsaid)))
    stranger = _subjects(domain, rng, 1, taken)[0]
    missing.append((stranger, rng.choice(facts).attribute))  # said of another

    text = _Text(_written(facts, voice))
    for fact in facts:
        ambiguous = sum(other is fact.attribute for _, other in spoken_of) > 1
        if asks := _asks(fact.attribute, named=ambiguous):
            text.answerable.append(_Question(fact.subject.fill(expand(rng.choice(asks), rng)), fact.value))
    for subject, each in missing:
        if asks := _asks(each, named=any(other is each for _, other in spoken_of)):
            text.unanswerable.append(_Question(subject.fill(expand(rng.choice(asks), rng)), ""))
    return text


def _subjects(domain: Domain, rng: random.Random, count: int, taken: set[str]) -> list[_Subject]:
    subjects: list[_Subject] = []
    while len(subjects) < count:
        template, pronoun = rng.choice(domain.subjects)
        name = _SLOT.sub(lambda match: values.draw(match[1], rng), expand(template, rng))
        if name not in taken:
            taken.update((name, name.split()[0]))
            subjects.append(_Subject(name, pronoun))
    return subjects


def _names_its_subject(attribute: Attribute) -> bool:
    """Whether it can be told and asked without confusing two subjects."""
    return any(map(_MENTION.search, attribute.says)) and any(map(_MENTION.search, attribute.asks))


def _asks(attribute: Attribute, *, named: bool) -> list[str]:
    """The attribute's questions; with `named` those that say whom they are about."""
    return [ask for ask in attribute.asks if not named or _MENTION.search(ask)]


def _written(facts: list[_Fact], voice: Voice) -> str:
    """Sentences, now and then joined by "and"; pronouns only for the one just spoken of."""
    rng = voice.rng
    several = len({fact.subject.name for fact in facts}) > 1
    sentences: list[str] = []
    before: _Subject | None = None
    joinable = ""  # the sentence before, where it may go on with "and"
    for fact in facts:
        same = before is fact.subject
        says = [say for say in fact.attribute.says if (same and not several) or _MENTION.search(say)]
        template = expand(rng.choice(says or fact.attribute.says), rng)
        if same and joinable and template.startswith("{s} ") and rng.random() < 0.3:
            rest = fact.subject.fill(template.removeprefix("{s} "), named=False)
            sentences[-1] = f"{joinable} and {rest}".replace("{v}", fact.value)
            joinable = ""
            continue
        named = not same or rng.random() < 0.4
        sentence = fact.subject.fill(template, named=named).replace("{v}", fact.value)
        joinable = sentence.removesuffix(".") if template.startswith("{s} ") else ""
        before = fact.subject if _MENTION.search(template) or same else None
        sentences.append(sentence[:1].upper() + sentence[1:])
        joinable = joinable[:1].upper() + joinable[1:]
    for _ in range(rng.choice((0, 0, 0, 1, 1, 2))):
        # A filler parts no pronoun from its name: it stands in front of a name or at the end.
        places = [index for index, text in enumerate(sentences) if index and not text.startswith(_PRONOUN_STARTS)]
        sentences.insert(rng.choice([*places, len(sentences)]), voice.reply(_FILLERS))
    return expand(" ".join(sentences), rng)


_PRONOUN_STARTS = ("She", "He", "It", "Her", "His", "Its")


def _told(story: Story, voice: Voice) -> _Text:
    """A story with its slots filled."""
    rng = voice.rng
    taken: set[str] = set()
    slots: dict[str, str] = {}

    def fill(match: re.Match[str]) -> str:
        if match[2]:
            slots[match[1]] = _value(match[2], rng, taken)
        return slots[match[1]]

    text = _Text(expand(_SLOT.sub(fill, expand(story.text, rng)), rng))
    by_slot: dict[str, list[str]] = {}
    for ask, slot in story.questions:
        by_slot.setdefault(slot, []).append(ask)
    for slot, asks in by_slot.items():
        text.answerable.append(_Question(expand(rng.choice(asks), rng, slots), slots[slot]))
    text.unanswerable = [_Question(expand(ask, rng, slots), "") for ask in story.unanswered]
    return text
