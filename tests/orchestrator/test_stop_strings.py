from hypothesis import given
from hypothesis import strategies as st

from serving.orchestrator.stop_strings import StopStrings

LETTERS = st.text("ab", max_size=30)
STOPS = st.lists(st.text("ab", min_size=1, max_size=5), min_size=1, max_size=4)


def first_stop(text: str, stops: list[str]) -> tuple[str, str | None]:
    """The definition: the text before the stop string that is complete first, and that string."""
    for end in range(1, len(text) + 1):
        complete = [stop for stop in stops if text[:end].endswith(stop)]
        if complete:
            found = max(complete, key=len)
            return text[: end - len(found)], found
    return text, None


@given(LETTERS, STOPS, st.data())
def test_any_cut_of_the_text_gives_what_the_whole_gives(text, stops, data):
    finder = StopStrings(stops)
    out, position = "", 0
    while position < len(text):
        size = data.draw(st.integers(1, 5))
        out += finder.push(text[position : position + size])
        position += size
    if finder.found is None:
        out += finder.flush()
    assert (out, finder.found) == first_stop(text, stops)


@given(LETTERS, STOPS)
def test_only_what_may_begin_a_stop_string_is_held_back(text, stops):
    text, _ = first_stop(text, stops)
    finder = StopStrings(stops)
    out = "".join(finder.push(character) for character in text)
    tails = [text[start:] for start in range(len(text))]
    held = max((tail for tail in tails if any(stop.startswith(tail) for stop in stops)), key=len, default="")
    assert (out, finder.flush()) == (text.removesuffix(held), held)


@given(LETTERS, STOPS)
def test_kept_stop_strings_end_the_text(text, stops):
    finder = StopStrings(stops, keep=True)
    out = finder.push(text)
    before, found = first_stop(text, stops)
    assert out + finder.flush() == before + (found or "")


def test_unarmed_text_ends_nothing_but_may_begin_a_stop_string():
    finder = StopStrings(["stop"])
    assert finder.push("stop st", armed=False) == "stop "
    assert finder.push("op!") == ""
    assert finder.found == "stop"


def test_nothing_comes_after_a_stop_string():
    finder = StopStrings(["x"])
    assert finder.push("axb") == "a"
    assert finder.push("c") == ""
    assert finder.flush() == ""
