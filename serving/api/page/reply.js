// One reply on screen: its Markdown, its sources, what went wrong, its figures, and the buttons under it.

import { copyText } from "./clipboard.js";
import { MarkdownView } from "./markdown.js";

const CONFIRMED = 1400; // ms for which a copy button shows that it did its work

/** A reply's node. It sends the event "source", with the citation as its detail, when the reader wants to see one. */
export class ReplyView {
  constructor(message) {
    this.message = message;
    this.node = document.getElementById("assistant-message").content.firstElementChild.cloneNode(true);
    this.markdown = new MarkdownView(this.node.querySelector(".text"));
    this.node.addEventListener("click", ({ target }) => this.#onClick(target.closest("button[data-action]")));
    this.draw();
  }

  draw() {
    const { content, state, problem, sources, retrieval } = this.message;
    this.markdown.render(content);
    this.node.dataset.state = state;
    this.node.toggleAttribute("data-empty", !content);
    this.node.setAttribute("aria-busy", state === "streaming");
    this.#drawSources(sources ?? []);
    const note = this.node.querySelector(".retrieval-note");
    note.textContent = retrievalNote(retrieval);
    note.hidden = !note.textContent;
    const alert = this.node.querySelector(".problem");
    alert.querySelector("p").textContent = problem;
    alert.hidden = state !== "failed";
    this.node.querySelector(".figures").replaceChildren(...figures(this.message).map(figureNode));
  }

  #drawSources(sources) {
    const list = this.node.querySelector(".sources");
    list.hidden = sources.length === 0;
    if (list.children.length !== sources.length) list.replaceChildren(...sources.map(sourceNode));
  }

  #onClick(button) {
    if (button?.dataset.action === "source") {
      const source = this.message.sources[[...button.closest("ul").children].indexOf(button.parentElement)];
      button.dispatchEvent(new CustomEvent("source", { detail: source, bubbles: true }));
    }
    if (button?.dataset.action === "copy") confirmed(button, this.message.content);
    if (button?.dataset.action === "copy-code") confirmed(button, button.closest("figure").querySelector("code").textContent);
  }
}

function sourceNode({ index, title, document_id: id }) {
  const number = element("span", String(index));
  number.className = "number";
  const button = element("button", number, title || id);
  button.type = "button";
  button.dataset.action = "source";
  button.setAttribute("aria-haspopup", "dialog");
  return element("li", button);
}

const WARNINGS = {
  late: "The documents did not answer in time",
  unavailable: "The documents cannot be searched right now",
  missing: "This server’s documents are not there",
  no_room: "The passages that were found do not fit into the model’s context",
};

/** What the reader should know about how a reply's passages were found; nothing where all went well. */
export function retrievalNote(retrieval) {
  if (!retrieval) return "";
  const { warning, origin, turns_left_out: turns } = retrieval;
  const texts = [];
  if (warning) {
    texts.push(`${WARNINGS[warning]}: ${origin === "last_known" ? "this rests on what was found earlier" : "this reply does without them"}.`);
  }
  if (turns) texts.push(`${turns === 1 ? "The earliest turn" : `The earliest ${turns} turns`} made room for passages.`);
  return texts.join(" ");
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

const figureNode = (text) => element("span", text);

function element(name, ...children) {
  const node = document.createElement(name);
  node.append(...children);
  return node;
}
