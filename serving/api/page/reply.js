// One reply on screen: its Markdown, what went wrong, its figures, and the buttons under it.

import { copyText } from "./clipboard.js";
import { MarkdownView } from "./markdown.js";

const CONFIRMED = 1400; // ms for which a copy button shows that it did its work

export class ReplyView {
  constructor(message) {
    this.message = message;
    this.node = document.getElementById("assistant-message").content.firstElementChild.cloneNode(true);
    this.markdown = new MarkdownView(this.node.querySelector(".text"));
    this.node.addEventListener("click", ({ target }) => this.#onClick(target.closest("button[data-action]")));
    this.draw();
  }

  draw() {
    const { content, state, problem } = this.message;
    this.markdown.render(content);
    this.node.dataset.state = state;
    this.node.toggleAttribute("data-empty", !content);
    this.node.setAttribute("aria-busy", state === "streaming");
    const alert = this.node.querySelector(".problem");
    alert.querySelector("p").textContent = problem;
    alert.hidden = state !== "failed";
    this.node.querySelector(".figures").replaceChildren(...figures(this.message).map(figureNode));
  }

  #onClick(button) {
    if (button?.dataset.action === "copy") confirmed(button, this.message.content);
    if (button?.dataset.action === "copy-code") confirmed(button, button.closest("figure").querySelector("code").textContent);
  }
}

async function confirmed(button, text) {
  await copyText(text);
  button.classList.add("confirmed");
  setTimeout(() => button.classList.remove("confirmed"), CONFIRMED);
}

/** The reply's figures as short texts: how it ended where that is worth a word, time to first token, speed, tokens. */
export function figures({ state, figures: measured }) {
  const texts = [];
  if (state === "stopped") texts.push("stopped");
  if (state === "cut") texts.push("cut at the token limit");
  if (!measured) return texts;
  const { firstToken, seconds, usage } = measured;
  texts.push(`${milliseconds(firstToken)} to first token`);
  if (!usage) return texts;
  const { prompt_tokens: read, completion_tokens: written, prompt_tokens_details: details } = usage;
  if (written > 1 && seconds > 0) texts.push(`${perSecond((written - 1) / seconds)} tokens/s`);
  const cached = details?.cached_tokens ? ` (${details.cached_tokens} cached)` : "";
  texts.push(`${read} tokens in${cached}, ${written} out`);
  return texts;
}

const milliseconds = (value) => (value < 1000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`);
const perSecond = (value) => (value < 10 ? value.toFixed(1) : String(Math.round(value)));

function figureNode(text) {
  const node = document.createElement("span");
  node.textContent = text;
  return node;
}
