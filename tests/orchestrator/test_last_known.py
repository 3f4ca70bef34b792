from serving.orchestrator.conversation import Conversation
from serving.orchestrator.last_known import LastKnown
from tests.orchestrator.found import hit

FIRST = [{"role": "user", "content": "Who was Ada?"}]
SECOND = [*FIRST, {"role": "assistant", "content": "A countess."}, {"role": "user", "content": "And when was that?"}]
ADA, DATES = hit("Ada was a countess."), hit("From 1815 to 1852.")


def talk(messages: list[dict]) -> Conversation:
    return Conversation.of(messages)


def test_the_same_question_and_the_next_one_find_what_was_found():
    known = LastKnown(8)
    known.put("mine", talk(FIRST), [ADA])
    assert known.get("mine", talk(FIRST)) == known.get("mine", talk(SECOND)) == (ADA,)
    known.put("mine", talk(SECOND), [DATES])
    assert known.get("mine", talk(FIRST)) == (ADA,)
    assert known.get("mine", talk(SECOND)) == (DATES,)


def test_others_find_nothing():
    known = LastKnown(8)
    known.put(("tenant", "docs"), talk(FIRST), [ADA])
    assert known.get(("other", "docs"), talk(FIRST)) == ()
    assert known.get(("tenant", "docs"), talk([{"role": "user", "content": "Who was Ida?"}])) == ()


def test_only_so_many_are_kept_and_the_longest_unused_goes():
    known = LastKnown(2)
    talks = [talk([{"role": "user", "content": str(number)}]) for number in range(3)]
    for number, each in enumerate(talks[:2]):
        known.put("mine", each, [hit(str(number))])
    assert known.get("mine", talks[0]) == (hit("0"),)
    known.put("mine", talks[2], [hit("2")])
    assert [bool(known.get("mine", each)) for each in talks] == [True, False, True]
