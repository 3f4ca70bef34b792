import pytest

from serving.orchestrator.citations import cited

BRIDGE = "The Storm Bridge was opened in 1912. It is 1,204 metres long and was built by Ada Stone."
FERRY = "The ferry leaves at 9:30 every morning. A ticket costs four crowns."
MARKET = "The market is open on Saturdays. You can say what you like about its fish."


@pytest.mark.parametrize(
    ("reply", "question", "places"),
    [
        ("1,204 metres", "How long is the bridge?", [0]),
        ("9:30", "When does the ferry leave?", [1]),
        ("It was built by ADA STONE.", "Who built the bridge?", [0]),
        ("The bridge was opened in 1912. The ferry leaves at 9:30.", "Tell me about both.", [0, 1]),
        ("The passage does not say.", "Who owns the ferry?", []),
        ("The text does not say that.", "Who owns the ferry?", []),
        ("Yes.", "Is the market open on Saturdays?", []),
        ("The market is open on Saturdays.", "Is the market open on Saturdays?", [2]),
        ("In 1913", "When was the bridge opened?", []),
        ("", "When was the bridge opened?", []),
        ("Look there [2], and there [3].", "Where?", [1, 2]),
        ("1,204 metres [2].", "How long is the bridge?", [1]),
        ("1,204 metres [7].", "How long is the bridge?", [0]),
    ],
)
def test_a_reply_cites_what_it_names_or_where_its_words_stand(reply, question, places):
    assert cited(reply, question, [BRIDGE, FERRY, MARKET]) == places


def test_the_better_of_two_passages_that_say_the_same_is_cited():
    assert cited("four crowns", "What does a ticket cost?", [FERRY, FERRY]) == [0]
    assert cited("four old crowns", "What does a ticket cost?", [FERRY, "Four old crowns."]) == [1]


def test_without_passages_there_is_nothing_to_cite():
    assert cited("four crowns [1]", "What does a ticket cost?", []) == []
