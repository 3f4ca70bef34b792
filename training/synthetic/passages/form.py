"""What a passage template is made of: subjects, the properties that a text may state of them, and the questions."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Attribute:
    """One property: the kind of its values (see values.KINDS), the statements, the questions.

    Statements speak of the subject as {s} (nominative), {p} (possessive) or {o} (object), which may become pronouns;
    questions always name it. {v} is the value, and the answer is the value alone. A kind that is no key of
    values.KINDS lists its values: "a|b|c".
    """

    kind: str
    says: tuple[str, ...]
    asks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Domain:
    """What a passage may be about: subjects with their pronouns, attributes by name. Whole domains are held out."""

    name: str
    subjects: tuple[tuple[str, str], ...]
    attributes: Sequence[Attribute]
    held_out: bool = False


@dataclass(frozen=True, slots=True)
class Story:
    """A little text with slots, questions with the slot that answers them, and questions that it does not answer.

    Slots are {name}s or {name:kind}s; the first mention of a name says its kind.
    """

    text: str
    questions: Sequence[tuple[str, str]]
    unanswered: tuple[str, ...]
    held_out: bool = False


def attribute(kind: str, says: str, asks: str) -> Attribute:
    """An attribute whose statements and questions are separated by " / "."""
    return Attribute(kind, tuple(says.split(" / ")), tuple(asks.split(" / ")))


def domain(name: str, subjects: str, *attributes: Attribute, held_out: bool = False) -> Domain:
    """A domain whose subjects are written "template = pronoun", separated by " / "."""
    pairs = [subject.rsplit(" = ", 1) for subject in subjects.split(" / ")]
    return Domain(name, tuple((template, pronoun) for template, pronoun in pairs), attributes, held_out)


def story(text: str, unanswered: str, *questions: tuple[str, str], held_out: bool = False) -> Story:
    """A story with its questions as (questions separated by " / ", slot)."""
    pairs = [(question, slot) for asks, slot in questions for question in asks.split(" / ")]
    return Story(text, pairs, tuple(unanswered.split(" / ")), held_out)
