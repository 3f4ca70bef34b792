"""The chat page in a real browser, against the real server."""

import json
import re

import pytest
from playwright.sync_api import expect

PHONE = {"width": 360, "height": 640}


def test_reply_streams_into_the_page(chat, page, tmp_path):
    chat.bound_replies(800, 800)  # long enough for many frames of a browser that is short of processor time
    page.evaluate("""() => {
        window.lengths = [];
        const messages = document.getElementById("messages");
        const note = () => window.lengths.push(messages.querySelector(".assistant .text")?.textContent.length ?? 0);
        new MutationObserver(note).observe(messages, {childList: true, subtree: true, characterData: true});
    }""")
    chat.say("Tell me about the sea.")
    expect(chat.stop_button).to_be_visible()
    chat.wait_for_reply()
    lengths = page.evaluate("window.lengths")
    grown = sorted(set(lengths))
    assert lengths == sorted(lengths), "the text never shrinks"
    assert len(grown) >= 5, f"the text came in {len(grown)} pieces"
    page.screenshot(path=tmp_path / "reply.png")
    assert (tmp_path / "reply.png").stat().st_size > 10_000


def test_figures_of_the_last_reply(chat):
    chat.bound_replies(24, 24)
    chat.say("Hello!")
    chat.wait_for_reply()
    figures = chat.reply.locator(".figures")
    expect(figures).to_contain_text("cut at the token limit")
    expect(figures).to_have_text(re.compile(r"(\d+ ms|\d\.\d s) to first token"))
    expect(figures).to_have_text(re.compile(r"\d tokens/s"))
    expect(figures).to_have_text(re.compile(r"\d+ tokens in( \(\d+ cached\))?, 24 out"))


STOP_MIDWAY = """how => {
  // The whole reply takes a fraction of a second: too quick for a hand outside the browser.
  const messages = document.querySelector("#messages");
  new MutationObserver((_, observer) => {
    const texts = messages.querySelectorAll(".text");
    if (texts.length < 2 || texts[texts.length - 1].textContent.length < 20) return;
    observer.disconnect();
    if (how === "button") document.querySelector('[aria-label="Stop"]').click();
    else document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key: "Escape", bubbles: true}));
  }).observe(messages, {subtree: true, childList: true, characterData: true});
}"""
"""Stops a reply as soon as it has some text, with the button or the key."""


@pytest.mark.parametrize("how", ["button", "escape"])
def test_stop_midway(chat, page, how):
    chat.bound_replies(800, 800)
    page.evaluate(STOP_MIDWAY, how)
    chat.say("Tell me about the sea.")
    expect(chat.reply).to_have_attribute("data-state", "stopped")
    expect(chat.reply.locator(".figures")).to_contain_text("stopped")
    expect(chat.stop_button).to_have_count(0)
    chat.bound_replies(1, 16)
    stopped_at = chat.reply.locator(".text").inner_text()
    chat.say("Hello!")
    chat.wait_for_reply()
    assert chat.replies.locator(".text").first.inner_text() == stopped_at


def test_conversation_goes_along_and_survives_a_reload(chat, page):
    chat.say("My name is Ada.")
    first = chat.wait_for_reply()
    body = chat.say("What is my name?")
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
    assert body["messages"][0]["content"] == "My name is Ada."
    assert body["messages"][2]["content"] == "What is my name?"
    chat.wait_for_reply()
    before = page.locator("#messages .text").all_inner_texts()
    assert before[:2] == ["My name is Ada.", first]
    page.reload()
    expect(page.locator("#messages .text")).to_have_text(before, use_inner_text=True)


@pytest.mark.parametrize("how", ["button", "shortcut"])
def test_new_chat(chat, page, how):
    chat.say("Hello!")
    chat.wait_for_reply()
    if how == "button":
        page.get_by_role("button", name="New chat").click()
    else:
        page.keyboard.press("Control+Shift+O")
    expect(chat.messages).to_have_count(0)
    expect(page.get_by_role("heading", name="Where to?")).to_be_visible()
    expect(chat.prompt).to_be_focused()
    assert [message["content"] for message in chat.say("Hello again!")["messages"]] == ["Hello again!"]
    chat.wait_for_reply()


def test_settings_are_sent_and_kept(chat, page):
    page.unroute_all()
    body = chat.say("Hello!")
    assert set(body) == {"model", "messages", "stream", "stream_options"}, "empty settings are the model's own"
    assert body["stream_options"] == {"include_usage": True}
    page.keyboard.press("Escape")
    expect(chat.stop_button).to_have_count(0)

    chat.open_settings()
    chosen = {
        "Temperature": 0.5,
        "Top p": 0.9,
        "Top k": 40,
        "Min p": 0.05,
        "Repetition penalty": 1.1,
        "Max tokens": 8,
        "Seed": 7,
    }
    for label, value in chosen.items():
        page.get_by_role("spinbutton", name=label).fill(str(value))
    page.get_by_role("textbox", name="System prompt").fill("You are a sailor.")
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.reload()
    body = chat.say("Hello!")
    sent = {label.lower().replace(" ", "_"): value for label, value in chosen.items()}
    assert {name: body[name] for name in sent} == sent
    assert body["messages"][0] == {"role": "system", "content": "You are a sailor."}
    chat.wait_for_reply()


def test_a_setting_out_of_range_is_pointed_out_and_not_sent(chat, page):
    chat.open_settings()
    temperature = page.get_by_role("spinbutton", name="Temperature")
    temperature.fill("9")
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    expect(temperature).to_be_focused()
    page.get_by_role("button", name="Reset").click()
    expect(temperature).to_have_value("")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert "temperature" not in chat.say("Hello!")
    chat.wait_for_reply()


def test_models_are_those_of_the_server(chat, page, server):
    listed = page.request.get(f"{server.url}/v1/models").json()["data"]
    models = [model for model in listed if model["task"] == "generate"]
    assert len(models) < len(listed)  # the one for embeddings is not to chat with
    expect(page.get_by_role("combobox", name="Model").locator("option")).to_have_text([model["id"] for model in models])
    assert chat.say("Hello!")["model"] == models[0]["id"]
    chat.wait_for_reply()


def test_regenerate_and_copy(chat, page):
    first = chat.say("Hello!")
    chat.wait_for_reply()
    body = chat.request_of(lambda: page.get_by_role("button", name="Regenerate reply").click())
    assert body["messages"] == first["messages"]
    chat.wait_for_reply()
    expect(chat.messages).to_have_count(2)
    page.get_by_role("button", name="Copy reply").click()
    expect(page.get_by_role("button", name="Copy reply")).to_have_class(re.compile("confirmed"))
    kept = json.loads(page.evaluate("localStorage.getItem('tradewind.conversation')"))
    assert page.evaluate("navigator.clipboard.readText()") == kept[-1]["content"] != ""


def test_keyboard(chat, page):
    chat.prompt.press_sequentially("one")
    chat.prompt.press("Shift+Enter")
    chat.prompt.press_sequentially("two")
    expect(chat.prompt).to_have_value("one\ntwo")
    expect(chat.messages).to_have_count(0)
    page.keyboard.press("Tab")
    expect(chat.send_button).to_be_focused()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid", "the focus is visible"
    body = chat.request_of(lambda: page.keyboard.press("Enter"))
    assert body["messages"][-1]["content"] == "one\ntwo"
    chat.wait_for_reply()
    expect(page.get_by_role("log", name="Conversation")).to_have_attribute("aria-live", "polite")


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE])
def test_phone_has_no_sideways_scroll(chat, page, tmp_path):
    chat.bound_replies(60, 60)
    chat.say("w" * 200)
    chat.wait_for_reply()
    overflowing = """() => [...document.querySelectorAll("html, #scroller, #composer, header, dialog")]
        .filter((node) => node.scrollWidth > node.clientWidth).map((node) => node.id || node.tagName)"""
    assert page.evaluate(overflowing) == []
    expect(chat.send_button).to_be_in_viewport(ratio=1)
    chat.open_settings()
    assert page.evaluate(overflowing) == []
    expect(page.get_by_role("button", name="Done")).to_be_in_viewport(ratio=1)
    page.screenshot(path=tmp_path / "phone.png")


@pytest.mark.parametrize(("color_scheme", "bright"), [("light", True), ("dark", False)])
def test_colours_follow_the_system(page, bright):
    red = page.evaluate("Number(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])")
    assert (red > 128) is bright
