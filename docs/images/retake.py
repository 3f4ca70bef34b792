"""Take the README's pictures of the chat page again: `python docs/images/retake.py http://127.0.0.1:8000`.

Needs a running server, Debian's chromium and the `dev` extra. Writes chat-light.png and chat-dark.png beside itself.
"""

import re
import sys
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

QUESTIONS = ("Hello! Who are you?", "Tell me about the sea.")
SIZE = {"width": 1180, "height": 760}


def main(url: str) -> None:
    """Hold a short conversation with the server at `url` in each colour scheme and photograph it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport=SIZE, color_scheme=scheme, device_scale_factor=2, reduced_motion="reduce")
            page.goto(url)
            for number, question in enumerate(QUESTIONS):
                page.get_by_role("textbox", name="Message").fill(question)
                page.get_by_role("button", name="Send", exact=True).click()
                reply = page.locator("article.assistant").nth(number)
                expect(reply).to_have_attribute("data-state", re.compile("complete|cut"), timeout=60_000)
            page.screenshot(path=Path(__file__).with_name(f"chat-{scheme}.png"))
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1])
