"""What the page shows when the server refuses, breaks off or is not ready. The faults are put in by the browser."""

import json

from playwright.sync_api import expect

OVERLOADED = {"error": {"message": "No engine.", "type": "server_error", "param": None, "code": "server_is_overloaded"}}


def event(data: dict) -> str:
    return f"data: {json.dumps(data)}\n\n"


def text_event(text: str) -> str:
    return event({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}], "usage": None})


def take_resource_errors(console_errors: list[str]) -> None:
    """Chromium notes every answer of 4xx and 5xx in the console by itself."""
    assert all(text.startswith("Failed to load resource") for text in console_errors)
    console_errors.clear()


def test_engine_restarting_offers_a_retry(chat, page, console_errors):
    chat.answer_once(status=503, json=OVERLOADED, headers={"retry-after": "3"})
    chat.say("Hello!")
    expect(chat.problem).to_contain_text("The engine is restarting.")
    expect(chat.problem).to_contain_text("about 3 s")
    body = chat.request_of(lambda: page.get_by_role("button", name="Try again").click())
    assert [message["content"] for message in body["messages"]] == ["Hello!"]
    assert chat.wait_for_reply()
    expect(chat.problem).to_have_count(0)
    take_resource_errors(console_errors)


def test_refusal_shows_the_server_s_words(chat, console_errors):
    message = "temperature must be at most 2."
    chat.answer_once(status=400, json={"error": {"message": message, "type": "invalid_request_error"}})
    chat.say("Hello!")
    expect(chat.problem).to_contain_text(message)
    take_resource_errors(console_errors)


def test_error_after_the_first_word_keeps_the_text(chat):
    broken = text_event("Half a") + event({"error": {"message": "The page pool is broken.", "type": "server_error"}})
    chat.answer_once(content_type="text/event-stream", body=broken)
    chat.say("Hello!")
    expect(chat.problem).to_contain_text("The page pool is broken.")
    expect(chat.reply.locator(".text")).to_have_text("Half a")


def test_engine_that_stops_midway_offers_a_retry(chat, page):
    chat.answer_once(content_type="text/event-stream", body=text_event("Half a") + event(OVERLOADED))
    chat.say("Hello!")
    expect(chat.problem).to_contain_text("The engine stopped before the reply was finished.")
    page.get_by_role("button", name="Try again").click()
    assert chat.wait_for_reply() != "Half a"
    expect(chat.messages).to_have_count(2)


def test_connection_that_closes_early_is_no_finished_reply(chat):
    chat.answer_once(content_type="text/event-stream", body=text_event("Half a"))
    chat.say("Hello!")
    expect(chat.reply).to_have_attribute("data-state", "failed")
    expect(chat.problem).to_contain_text("closed before the reply was finished")


def test_unanswered_question_is_not_sent_again(chat, page, console_errors):
    chat.answer_once(status=503, json=OVERLOADED)
    chat.say("First")
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    body = chat.say("Second")
    assert [message["content"] for message in body["messages"]] == ["Second"]
    chat.wait_for_reply()
    take_resource_errors(console_errors)


def test_server_that_is_gone(chat, page, console_errors):
    page.route("**/v1/chat/completions", lambda route: route.abort("connectionrefused"), times=1)
    chat.say("Hello!")
    expect(chat.problem).to_contain_text("did not answer")
    take_resource_errors(console_errors)


def test_loading_model_is_shown_until_it_is_ready(chat, page, console_errors):
    progress = {"stage": "compiling", "done": 3, "total": 12, "message": ""}
    page.route("**/ready", lambda route: route.fulfill(status=503, json={"status": "starting", "progress": progress}))
    page.reload()
    expect(page.get_by_role("status")).to_contain_text("Compiling the model")
    expect(page.get_by_role("progressbar")).to_have_attribute("value", "3")
    expect(page.get_by_role("progressbar")).to_have_attribute("max", "12")
    chat.prompt.fill("Hello!")
    expect(chat.send_button).to_be_disabled()
    page.unroute("**/ready")
    expect(page.locator("#status")).to_be_hidden()
    expect(chat.send_button).to_be_enabled()
    expect(chat.prompt).to_have_value("Hello!")
    take_resource_errors(console_errors)
