"""A headless Chromium, and a page that has to end its test without console errors or requests to other hosts."""

import json
import os
import re
import shutil
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect, sync_playwright

# Without the background flags Chromium looks for its vendor's hosts at every start.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


COMPLETIONS = "**/v1/chat/completions"
LONG = 30_000  # ms that a long reply may take on a slow machine


class ChatPage:
    """What a reader sees and does, in the page's own words."""

    def __init__(self, page: Page):
        self.page = page
        self.prompt = page.get_by_role("textbox", name="Message")
        self.send_button = page.get_by_role("button", name="Send", exact=True)
        self.stop_button = page.get_by_role("button", name="Stop", exact=True)
        self.messages = page.locator("article")
        self.replies = page.locator("article.assistant")
        self.problem = page.get_by_role("alert")

    @property
    def reply(self) -> Locator:
        """The last reply."""
        return self.replies.last

    def say(self, text: str) -> dict:
        """Send a message; the body of the request that it makes is returned."""
        self.prompt.fill(text)
        expect(self.send_button).to_be_enabled()
        return self.request_of(lambda: self.prompt.press("Enter"))

    def request_of(self, action) -> dict:
        """The body of the chat completion that `action` asks for."""
        with self.page.expect_request(COMPLETIONS) as request:
            action()
        return request.value.post_data_json

    def wait_for_reply(self) -> str:
        """The text of the last reply, once it is there in full."""
        expect(self.reply).to_have_attribute("data-state", re.compile("complete|cut"), timeout=LONG)
        return self.reply.locator(".text").inner_text()

    def bound_replies(self, at_least: int, at_most: int) -> None:
        """Keep replies within these numbers of tokens, which are added to a request that has none of its own."""

        def alter(route):
            bounds = {"min_tokens": at_least, "max_tokens": at_most}
            route.continue_(post_data=json.dumps(bounds | route.request.post_data_json))

        self.page.route(COMPLETIONS, alter)

    def answer_once(self, **answer) -> None:
        """Answer the next request in the server's place."""
        self.page.route(COMPLETIONS, lambda route: route.fulfill(**answer), times=1)

    def open_settings(self) -> None:
        self.page.get_by_role("button", name="Settings", exact=True).click()


# For a module at most: Playwright keeps an event loop running, and asynchronous tests cannot have one beside theirs.
@pytest.fixture(scope="module")
def browser():
    """Chromium from the system's packages; TRADEWIND_TEST_CHROMIUM names another, and then it must be there."""
    path = os.environ.get("TRADEWIND_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium here (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def viewport():
    """Width and height in CSS pixels; tests override it by parametrize."""
    return {"width": 1280, "height": 832}


@pytest.fixture
def color_scheme():
    return "light"


@pytest.fixture
def console_errors():
    """What the page complained of; a test of a fault takes out what it expects."""
    return []


@pytest.fixture
def page(browser, server, viewport, color_scheme, console_errors):
    """The chat page, loaded in a fresh browser profile."""
    with open_page(browser, server.url, console_errors, viewport=viewport, color_scheme=color_scheme) as page:
        yield page


@pytest.fixture
def chat(page):
    """The page in a reader's hands. Replies are short until a test bounds them otherwise."""
    chat = ChatPage(page)
    chat.bound_replies(at_least=1, at_most=16)
    return chat


@pytest.fixture(scope="module")
def scripts(browser, server):
    """One page for a whole module, to call functions of the page's own scripts in."""
    with open_page(browser, server.url, []) as page:
        yield page


@contextmanager
def open_page(browser, url, console_errors, **options):
    """The chat page in a profile of its own; on leaving, no error is left and no other host was asked."""
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"], **options)
    hosts = set()
    page = context.new_page()
    page.on("console", lambda message: message.type == "error" and console_errors.append(message.text))
    page.on("pageerror", lambda error: console_errors.append(str(error)))
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.goto(url)
    yield page
    context.close()
    assert console_errors == []
    assert hosts == {urlsplit(url).netloc}
