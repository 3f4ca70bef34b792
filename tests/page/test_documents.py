"""Files in the chat page: attached, read, asked about, and the passage that the answer is from."""

import json
import re

import pytest
from playwright.sync_api import expect

from tests.page.conftest import LONG
from tests.page.test_chat_page import PHONE
from tests.page.test_chat_page_faults import event, take_resource_errors, text_event

BRIDGE = {
    "name": "bridge.md",
    "mimeType": "text/markdown",
    "buffer": b"# The Storm Bridge\n\nThe Storm Bridge was opened in 1912. It is 1204 metres long.\n",
}
BROKEN = {"name": "broken.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4 nothing"}


@pytest.fixture
def documents(page):
    """The attached files, as the reader sees them."""
    return page.get_by_role("list", name="Attached files").get_by_role("listitem")


def attach(page, *files: dict) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Attach files").click()
    chooser.value.set_files(list(files))


def test_a_file_is_read_asked_about_and_cited(chat, page, documents, tmp_path):
    chat.open_settings()
    page.get_by_role("spinbutton", name="Temperature").fill("0")
    page.keyboard.press("Escape")
    attach(page, BRIDGE)
    expect(documents).to_have_text(re.compile(r"bridge\.md\s*1 passage"), timeout=LONG)
    expect(chat.prompt).to_be_focused()
    body = chat.say("How long is the bridge?")
    assert re.fullmatch(r"chat-[\d-]+", body["collection"])
    assert "1204 metres" in chat.wait_for_reply()
    source = chat.reply.get_by_role("list", name="Sources").get_by_role("button")
    expect(source).to_have_text(re.compile("1.*Storm Bridge"))
    page.screenshot(path=tmp_path / "sources.png")
    source.press("Enter")
    dialog = page.get_by_role("dialog", name="The Storm Bridge")
    expect(dialog.get_by_label("Passage", exact=True)).to_contain_text("It is 1204 metres long.")
    expect(dialog).to_contain_text("bridge.md")
    page.screenshot(path=tmp_path / "passage.png")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(source).to_be_focused()

    page.reload()
    expect(documents).to_have_text(re.compile(r"bridge\.md\s*1 passage"))
    expect(chat.reply.get_by_role("list", name="Sources").get_by_role("button")).to_have_count(1)
    assert chat.say("When was it opened?")["collection"] == body["collection"]
    chat.wait_for_reply()


def test_a_file_that_cannot_be_read_says_why_and_can_be_taken_out(chat, page, documents):
    attach(page, BROKEN, BRIDGE)
    expect(documents.filter(has_text="broken.pdf")).to_contain_text("the file is damaged", timeout=LONG)
    expect(documents.filter(has_text="bridge.md")).to_contain_text("1 passage", timeout=LONG)
    page.get_by_role("button", name="Remove broken.pdf").click()
    expect(documents).to_have_count(1)
    expect(chat.prompt).to_be_focused()
    page.get_by_role("button", name="Remove bridge.md").click()
    expect(documents).to_have_count(0)
    assert "collection" not in chat.say("Hello!")
    chat.wait_for_reply()


def test_a_new_chat_leaves_no_files_behind(chat, page, documents, server):
    attach(page, BRIDGE)
    expect(documents).to_contain_text("1 passage", timeout=LONG)
    name = json.loads(page.evaluate("localStorage.getItem('tradewind.documents')"))["name"]
    collections = f"{server.url}/v1/collections"
    assert page.request.get(f"{collections}/{name}").ok
    with page.expect_response(f"**/v1/collections/{name}") as removed:
        page.get_by_role("button", name="New chat").click()
    assert removed.value.ok
    expect(documents).to_have_count(0)
    assert page.request.get(f"{collections}/{name}").status == 404


def test_nothing_is_sent_while_files_are_still_being_read(chat, page, documents):
    pending = {"status": "pending", "error": None, "chunks": 0}
    page.route("**/documents/bridge.md", lambda route: route.fulfill(json=pending))
    attach(page, BRIDGE)
    expect(documents).to_contain_text("being read")
    expect(documents.get_by_role("progressbar", name="bridge.md is being read")).to_be_visible()
    chat.prompt.fill("How long is the bridge?")
    expect(chat.send_button).to_be_disabled()
    page.unroute("**/documents/bridge.md")
    expect(chat.send_button).to_be_enabled()
    expect(documents).to_contain_text("1 passage", timeout=LONG)
    expect(documents.get_by_role("progressbar")).to_have_count(0)


def test_a_refused_file_shows_the_servers_words(chat, page, documents, console_errors):
    error = {"error": {"message": "This server keeps no documents.", "type": "invalid_request_error"}}
    page.route("**/v1/collections/**", lambda route: route.fulfill(status=400, json=error))
    attach(page, BRIDGE)
    expect(documents).to_contain_text("This server keeps no documents.")
    page.get_by_role("button", name="Remove bridge.md").click()
    expect(documents).to_have_count(0)
    take_resource_errors(console_errors)


@pytest.mark.parametrize(
    ("retrieval", "words"),
    [
        ({"warning": "late", "origin": "last_known"}, "this rests on what was found earlier"),
        ({"warning": "unavailable", "origin": "none"}, "cannot be searched right now: this reply does without them"),
        ({"warning": None, "origin": "found", "turns_left_out": 2}, "The earliest 2 turns made room"),
    ],
)
def test_the_reader_is_told_how_the_passages_were_found(chat, retrieval, words):
    found = {"collection": "docs", "passages": [], "turns_left_out": 0} | retrieval
    choice = {"index": 0, "delta": {"annotations": []}, "finish_reason": None}
    end = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    body = text_event("Well.") + end + event({"choices": [choice], "retrieval": found}) + "data: [DONE]\n\n"
    chat.answer_once(content_type="text/event-stream", body=body)
    chat.say("Hello!")
    expect(chat.reply).to_contain_text(words)
    expect(chat.reply.get_by_role("list", name="Sources")).to_have_count(0)


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE])
def test_files_and_sources_fit_a_phone(chat, page, documents, tmp_path):
    attach(page, BRIDGE | {"name": "w" * 80 + ".md"}, BROKEN)
    expect(documents.first).to_contain_text("1 passage", timeout=LONG)
    expect(documents.last).to_contain_text("damaged", timeout=LONG)
    overflowing = """() => [...document.querySelectorAll("html, #scroller, #composer, #documents, dialog")]
        .filter((node) => node.scrollWidth > node.clientWidth).map((node) => node.id || node.tagName)"""
    assert page.evaluate(overflowing) == []
    page.screenshot(path=tmp_path / "files.png")
    for remove in ("w" * 80 + ".md", "broken.pdf"):
        expect(page.get_by_role("button", name=f"Remove {remove}")).to_be_in_viewport(ratio=1)
