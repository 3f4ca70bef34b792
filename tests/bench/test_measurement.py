import json

import pytest

from serving.bench.endpoint import ENDPOINTS
from serving.bench.measurement import Answer, Measurement, error_kind

CHAT, COMPLETIONS = ENDPOINTS["chat"], ENDPOINTS["completions"]


def line(data: dict | str) -> bytes:
    return f"data: {data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)}\n\n".encode()


def delta(**fields) -> dict:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": None}], "usage": None}


USAGE = {"prompt_tokens": 9, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4}}
STREAM = b"".join(
    [
        line(delta(role="assistant", content="")),
        b": a comment\r\n",
        line(delta(content="Grüß")),
        line(delta(content=" dich\u2028")),
        line({"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]}),
        line({"choices": [], "usage": USAGE}),
        line("[DONE]"),
    ]
)


def receive(*pieces: bytes, status: int = 200, endpoint=CHAT) -> tuple[Answer, Measurement]:
    """Pieces that come a second after one another, the first 10 s after a start at 100 s."""
    measurement = Measurement(0, 0, sent=9.0)
    answer = Answer(measurement, endpoint.text, started=100.0)
    answer.begin(status)
    for second, piece in enumerate(pieces):
        answer.data(piece, 110.0 + second)
    answer.end()
    measurement.finished = 99.0
    return answer, measurement


def test_a_stream_is_read_however_it_is_cut_into_pieces():
    for size in (1, 2, 7, len(STREAM)):
        pieces = [STREAM[i : i + size] for i in range(0, len(STREAM), size)]
        answer, measured = receive(*pieces)
        assert answer.text == "Grüß dich\u2028"
        assert (measured.prompt_tokens, measured.output_tokens, measured.cached_tokens) == (9, 5, 4)
        assert (measured.finish_reason, measured.error) == ("length", "")
        assert len(measured.text_at) == 2


def test_text_came_when_its_event_was_whole_and_an_empty_one_is_no_text():
    events = STREAM.split(b"\n\n")
    pieces = [b"\n\n".join(events[:1]) + b"\n\n", events[1][:20], events[1][20:] + b"\n\n", b"\n\n".join(events[2:])]
    _, measured = receive(*pieces)
    assert measured.text_at == [12.0, 13.0]
    assert measured.ttft == 3.0


@pytest.mark.parametrize("field", ["content", "reasoning", "reasoning_content"])
def test_thoughts_are_text_too(field):
    answer, measured = receive(line(delta(**{field: "hm"})), line("[DONE]"))
    assert answer.text == "hm" and measured.text_at == [10.0]


def test_a_tool_s_arguments_are_text_too():
    call = {"index": 0, "id": "x", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    _, measured = receive(line(delta(tool_calls=[call])), line("[DONE]"))
    assert len(measured.text_at) == 1


def test_text_completions():
    chunk = {"choices": [{"index": 0, "text": " there", "finish_reason": "stop"}]}
    answer, measured = receive(line(chunk), line("[DONE]"), endpoint=COMPLETIONS)
    assert (answer.text, measured.finish_reason) == (" there", "stop")
    history = [("system", "Be brief."), ("user", "Hello"), ("assistant", " there"), ("user", "again")]
    assert COMPLETIONS.ask(history) == {"prompt": " Be brief. Hello there again"}
    assert CHAT.ask(history)["messages"][2] == {"role": "assistant", "content": " there"}


ERROR = {"error": {"message": "wait", "type": "requests", "param": None, "code": "rate_limit_exceeded"}}


@pytest.mark.parametrize(
    ("pieces", "status", "kind"),
    [
        ([STREAM[: -len(line("[DONE]"))]], 200, "cut short"),
        ([], 200, "cut short"),
        ([line(delta(content="a")), line(ERROR)], 200, "while streaming rate_limit_exceeded"),
        ([b'{"error": {"message": "wait", ', b'"code": "rate_limit_exceeded"}}'], 429, "429 rate_limit_exceeded"),
        ([b"<html>Bad gateway</html>"], 502, "502"),
        ([line("{broken"), line("[DONE]")], 200, "not OpenAI's protocol"),
        ([line('["a list"]'), line("[DONE]")], 200, "not OpenAI's protocol"),
        ([line('{"choices": [{"delta": 3}]}'), line("[DONE]")], 200, "not OpenAI's protocol"),
    ],
)
def test_every_failure_has_a_kind(pieces, status, kind):
    _, measured = receive(*pieces, status=status)
    assert measured.error == kind
    assert not measured.succeeded


def test_a_kind_is_the_code_else_the_type_else_the_words():
    assert error_kind("400", b'{"error": {"message": "m", "type": "t", "code": null}}') == "400 t"
    assert error_kind("400", b'{"error": "out of cheese"}') == "400 out of cheese"
    assert error_kind("400", b'{"detail": "x"}') == "400"
