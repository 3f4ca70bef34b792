"""stream.js in the browser: server-sent events however the network cuts them."""

import pytest

READ = """async ([bytes, size]) => {
    const { serverSentEvents } = await import("/stream.js");
    const body = new ReadableStream({
        start(controller) {
            for (let at = 0; at < bytes.length; at += size) {
                controller.enqueue(new Uint8Array(bytes.slice(at, at + size)));
            }
            controller.close();
        },
    });
    const events = [];
    for await (const data of serverSentEvents(body)) events.push(data);
    return events;
}"""


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_events_are_whole_however_the_bytes_are_cut(scripts, size, newline):
    lines = [
        "data: één 🌊",
        "",
        ": a comment",
        "data:two",
        "data: lines\u2028here",
        "",
        "event: x",
        "data: [DONE]",
        "",
        "",
    ]
    sent = newline.join(lines).encode()
    assert scripts.evaluate(READ, [list(sent), size]) == ["één 🌊", "two\nlines\u2028here", "[DONE]"]


def test_event_that_never_ends_is_not_given_out(scripts):
    assert scripts.evaluate(READ, [list(b"data: whole\n\ndata: half"), 4]) == ["whole"]
