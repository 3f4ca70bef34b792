"""Questions about an encyclopedia's paragraphs, made from its own sentences.

A sentence with a plain frame (subject, verb, the rest) is turned round: the piece that answers is taken out and the
question word for its kind put in front. Such questions are stiffer than people's, but they ask of real prose, and there
are tens of thousands of them (unsupervised cloze translation, arXiv 1906.04980).
"""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.conversation import Message, assistant, user
from training.corpus.example import Example, is_held_out
from training.corpus.files import rows
from training.corpus.reading import HELD_OUT_PERCENT, NO_ANSWER
from training.corpus.texts import verbs

SOURCE = "prose_questions"
_SHORTEST, _LONGEST = 200, 1000  # characters of a passage
_MOST_QUESTIONS = 5
_UNANSWERABLE = 0.12

_AUXILIARY = r"was|were|is|are|has been|had been|have been|has|had|have|can|could|will|would|must|may"
_IRREGULAR = {
    "became": "become", "began": "begin", "built": "build", "came": "come", "died": "die", "fell": "fall",
    "fought": "fight", "found": "find", "gave": "give", "got": "get", "grew": "grow", "held": "hold", "kept": "keep",
    "led": "lead", "left": "leave", "lost": "lose", "made": "make", "met": "meet", "ran": "run", "rose": "rise",
    "saw": "see", "sent": "send", "set": "set", "sold": "sell", "spent": "spend", "spread": "spread", "stood": "stand",
    "taught": "teach", "took": "take", "went": "go", "won": "win", "wrote": "write",
}  # fmt: skip
_NAME = r"[A-Z][\w'-]+(?: (?:(?:of|the|de|von|van|and|la) )*[A-Z][\w'-]+)*"
_MONTH = r"(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_DATE = rf"(?:(?:\d{{1,2}} )?{_MONTH}(?: \d{{1,2}},)? \d{{4}}|\d{{4}}|the \w+ century|the \d{{4}}s)"
_NUMBER = (
    r"(?:\d[\d,.]*\d|\d|two|three|four|five|six|seven|eight|nine|ten|twelve|twenty)"
    r"(?: (?:million|billion|thousand|percent))?"
)
_FRAME = re.compile(rf"(?P<subject>.{{2,60}}?) (?P<verb>{_AUXILIARY}) (?P<rest>.+)\.")
_SIMPLE = re.compile(rf"(?P<subject>(?:The )?{_NAME}|He|She|It|They) (?P<verb>[a-z]+) (?P<rest>.+)\.")
_UNFIT = re.compile(
    r"[;:\"“”()\[\]?!]|\b(?:also|often|usually|there|which|who|that|but|however|although|while|when|if)\b",
    re.IGNORECASE,
)
_CLAUSE_END = re.compile(r",| because | since | until | where | after | before ")
_PARTICIPLE = re.compile(r" (?:\w+ed|born|known|written|made|built|held|given|taken|found|led)\b")
_DEFINITION = re.compile(r"(?:an?|the) [\w -]+?(?=,| in | for | with | on | at | from | to |$)")
_COUNTED = re.compile(rf"(?P<before>.*?)\b(?P<answer>{_NUMBER}) (?P<things>(?:[a-z]+ )?[a-z]+s)\b(?P<after>[^,]*)")
_NO_SUBJECT = re.compile(
    r"(?:Most|Some|Many|Both|All|Several|Few|Each|One|Its|His|Her|Their|This|These|Those|Other|Others|Another|Such|As|In|On|At|By|Of|To"
    r"|Before|After|During|Under|From|With|For|Since|Until|Among|Here|Today|Then|Later|Now)\b"
)
_BEHIND_PREPOSITIONS = tuple(
    (word, re.compile(rf" {preposition} (?P<answer>{answer})(?=[ ,]|$)"), left_over)
    for word, preposition, answer, left_over in (
        ("when", "(?:in|on|since|during)", _DATE, ""),
        ("in what year", "in", r"\d{4}", ""),
        ("where", "(?:in|at|near)", _NAME, ""),
        ("where", "from", _NAME, "from"),
        ("who", "by", f"(?:the )?{_NAME}", "by"),
        ("what", "of", f"(?:the )?{_NAME}", "of"),
        ("what", "for", "(?:his |her |its |the )?[a-z]+(?: of [a-z]+)?(?=[,.]|$)", "for"),
        ("what", "called", r"(?:the )?[\w -]+?(?=,|$)", "called"),
        ("what", "known as", r"(?:the )?[\w -]+?(?=,|$)", "known as"),
    )
)
"""The question word for what stands behind a preposition, and what of the preposition stays in the question."""


@dataclass(frozen=True, slots=True)
class _Frame:
    """A sentence taken apart.

    `simple` is the verb's plain form where there is no auxiliary, `person` whether the subject is one.
    """

    subject: str
    verb: str
    rest: str
    simple: str = ""
    person: bool = False

    def turned(self, without: str) -> str:
        """Verb, subject and what is left of the rest, in a question's order."""
        subject = re.sub(r"^(?:The|An?) ", lambda article: article[0].lower(), self.subject)
        if self.simple:
            return " ".join(f"did {subject} {self.simple} {without}".split())
        first, _, others = self.verb.partition(" ")
        return " ".join(f"{first} {subject} {others} {without}".split())


def prose_questions(articles: Path, glossary: Path) -> Iterator[Example]:
    """Passages with one to five questions, one of which the passage may not answer.

    There are none from articles whose questions `reading` holds out.
    """
    plain = verbs(glossary)
    for row in rows(articles):
        title = row["title"]
        if is_held_out(title, HELD_OUT_PERCENT):
            continue
        rng = random.Random(title)
        passages = [" ".join(re.sub(r" ?\([^()]*\)", "", text).split()) for text in row["paras"]]
        asked = [_questions(passage, title, plain) for passage in passages]
        for index, passage in enumerate(passages):
            if not asked[index] or not _SHORTEST <= len(passage) <= _LONGEST:
                continue
            pairs = rng.sample(asked[index], min(len(asked[index]), _MOST_QUESTIONS))
            others = [pair for other in asked if other is not asked[index] for pair in other]
            elsewhere = [question for question, answer in others if answer not in passage]
            if elsewhere and rng.random() < _UNANSWERABLE * len(pairs):
                pairs[rng.randrange(len(pairs))] = rng.choice(elsewhere), rng.choice(NO_ANSWER)
            yield Example(SOURCE, False, messages=tuple(_conversation(passage, pairs)))


def _conversation(passage: str, pairs: Sequence[tuple[str, str]]) -> Iterator[Message]:
    for index, (question, answer) in enumerate(pairs):
        yield user(question if index else f"{passage}\n\n{question}")
        yield assistant(answer)


def _questions(passage: str, title: str, plain: set[str]) -> list[tuple[str, str]]:
    """Every question that the passage's sentences give, with its answer; no two have the same answer."""
    by_answer: dict[str, str] = {}
    name = re.sub(r" \(.*", "", title)
    person = bool(re.search(r"\b(?:he|she|his|her)\b", passage, re.IGNORECASE))
    for sentence in re.split(r"(?<=[a-z0-9]\.) (?=[A-Z])", passage):
        frame = _frame(sentence, name, person, plain)
        if frame is None:
            continue
        for question, answer in _ask(frame):
            answer = answer.strip(" ,")
            if answer in passage and len(answer.split()) <= 8 and 4 <= len(question.split()) <= 20:
                by_answer.setdefault(answer, question[0].upper() + question[1:] + "?")
    return [(question, answer) for answer, question in by_answer.items()]


def _frame(sentence: str, name: str, person: bool, plain: set[str]) -> _Frame | None:
    if _UNFIT.search(sentence) or _NO_SUBJECT.match(sentence) or not 6 <= len(sentence.split()) <= 40:
        return None
    found, simple = _FRAME.fullmatch(sentence), ""
    if found is None or "," in found["subject"] or len(found["subject"].split()) > 7:
        found = _SIMPLE.fullmatch(sentence)
        if found is None or not (simple := _plain_form(found["verb"], plain)):
            return None
    subject = name if found["subject"] in ("He", "She", "It", "They") else found["subject"]
    return _Frame(subject, found["verb"], found["rest"], simple, person and subject in name)


def _plain_form(past: str, plain: set[str]) -> str:
    """The form that follows "did", or nothing where the word is no past tense that it knows."""
    if past in _IRREGULAR:
        return _IRREGULAR[past]
    if not past.endswith("ed"):
        return ""
    candidates = (past[:-1], past[:-2], past[:-3] + "y", past[:-3])
    return next((each for each in candidates if each in plain), "")


def _ask(frame: _Frame) -> Iterator[tuple[str, str]]:
    """The questions of one sentence: about its subject, what it is, and what follows its prepositions and numbers."""
    rest = frame.rest
    if re.match(rf"(?:The )?{_NAME}", frame.subject):
        yield f"{'who' if frame.person else 'what'} {frame.verb} {_CLAUSE_END.split(rest)[0]}", frame.subject
    if frame.verb in ("is", "was") and (what := _DEFINITION.match(rest)):
        yield f"{'who' if frame.person else 'what'} {frame.turned('')}", what[0]
    for word, pattern, left_over in _BEHIND_PREPOSITIONS:
        if found := pattern.search(f" {rest}"):
            _, comma, clause = f" {rest}"[: found.start()].rpartition(",")
            if not comma or _PARTICIPLE.match(clause):
                yield f"{word} {frame.turned(f'{clause} {left_over}')}", found["answer"]
    if found := _COUNTED.match(rest):
        yield f"how many {found['things']} {frame.turned(found['before'] + found['after'])}", found["answer"]
