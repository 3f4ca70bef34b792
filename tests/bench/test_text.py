from serving.bench.text import WORDS, Calibration, words
from serving.bench.workload import Segment

ONE_EACH = Calibration(1.0)


def test_text_is_of_the_wanted_length_by_the_server_s_count():
    assert len(words(Segment("a", 300), 0, ONE_EACH).split()) == 300
    assert len(words(Segment("a", 300), 0, Calibration(1.5)).split()) == 200
    assert len(words(Segment("a", 1), 0, Calibration(4.0)).split()) == 1


def test_equal_keys_begin_alike_whatever_their_lengths():
    long, short = words(Segment("a", 300), 5, ONE_EACH), words(Segment("a", 40), 5, ONE_EACH)
    assert long.startswith(short + " ")


def test_other_keys_and_other_seeds_say_something_else():
    texts = [words(Segment(key, 50), seed, ONE_EACH) for key in "ab" for seed in (0, 1)]
    assert len(set(texts)) == 4
    assert all(set(text.split()) <= set(WORDS) for text in texts)


def test_no_word_is_there_twice():
    assert len(set(WORDS)) == len(WORDS) > 100
