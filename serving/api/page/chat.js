// The chat page: what the reader does, turned into requests, and their replies into the conversation.

import { Conversation } from "./conversation.js";
import { Documents } from "./documents.js";
import { PassageDialog } from "./passage.js";
import { ServerStatus } from "./server.js";
import { Settings } from "./settings.js";
import { streamReply } from "./stream.js";
import { Transcript } from "./transcript.js";

const byId = (id) => document.getElementById(id);

class Chat {
  #running = null; // the AbortController of the reply that is being written

  constructor() {
    this.conversation = new Conversation();
    this.settings = new Settings(byId("settings"));
    this.documents = new Documents(byId("documents"), () => this.#refresh());
    this.passage = new PassageDialog(byId("passage"));
    this.transcript = new Transcript({ messages: byId("messages"), scroller: byId("scroller"), toLatest: byId("to-latest") });
    this.server = new ServerStatus((status) => this.#showServer(status));
    this.prompt = byId("prompt");
    this.model = byId("model");
  }

  start() {
    this.#listen();
    this.transcript.show(this.conversation.messages);
    this.#refresh();
    this.server.watch();
  }

  send(text) {
    if (this.#running || !this.server.ready || this.documents.busy || !text.trim()) return;
    const reply = this.conversation.ask(text.trim());
    this.conversation.messages.slice(-2).forEach((message) => this.transcript.append(message));
    this.transcript.scrollToEnd();
    this.prompt.value = "";
    this.#stream(reply);
  }

  regenerate() {
    if (this.#running || !this.server.ready) return;
    const reply = this.conversation.askAgain();
    this.transcript.replaceLast(reply);
    byId("send").focus(); // the button that was pressed is gone
    this.#stream(reply);
  }

  stop() {
    this.#running?.abort();
  }

  newChat() {
    this.stop();
    this.conversation.clear();
    this.documents.clear();
    this.transcript.show([]);
    this.#refresh();
    this.prompt.focus();
  }

  async #stream(reply) {
    const running = new AbortController();
    this.#running = running;
    this.#refresh();
    const request = {
      model: this.model.value,
      messages: this.conversation.prompt(this.settings.system),
      stream: true,
      stream_options: { include_usage: true },
      ...(this.documents.collection && { collection: this.documents.collection }),
      ...this.settings.sampling,
    };
    try {
      await this.#receive(reply, streamReply(request, running.signal));
    } catch (failure) {
      this.#fail(reply, failure, running.signal);
    }
    this.#running = null;
    this.conversation.save();
    this.transcript.update();
    this.#refresh();
  }

  async #receive(reply, events) {
    const asked = performance.now();
    let first = null;
    let reason = "stop";
    for await (const { text, finish, usage, sources, retrieval } of events) {
      if (text) {
        first ??= performance.now();
        reply.content += text;
        reply.figures = { firstToken: first - asked, seconds: (performance.now() - first) / 1000, usage: null };
      }
      if (retrieval) Object.assign(reply, { sources, retrieval });
      if (usage && reply.figures) reply.figures.usage = usage;
      reason = finish ?? reason;
      this.transcript.update();
    }
    reply.state = reason === "length" ? "cut" : "complete";
  }

  #fail(reply, failure, signal) {
    if (signal.aborted) {
      reply.state = "stopped";
      return;
    }
    reply.state = "failed";
    reply.problem = problemText(failure, reply.content);
    this.server.watch(); // the engine may be gone
  }

  #showServer({ ready, models, text, done, total }) {
    const progress = byId("status-progress");
    byId("status").hidden = ready;
    if (ready) {
      this.#listModels(models);
    } else {
      byId("status-text").textContent = text;
      progress.hidden = total === 0;
      progress.max = total || 1;
      progress.value = done;
    }
    this.#refresh();
  }

  #listModels(models) {
    const chosen = this.model.value;
    this.model.replaceChildren(...models.map((id) => new Option(id, id, false, id === chosen)));
    this.model.disabled = models.length < 2;
  }

  /** Bring the controls in line with the state. */
  #refresh() {
    const { messages } = this.conversation;
    document.body.toggleAttribute("data-empty", messages.length === 0);
    document.body.toggleAttribute("data-running", this.#running !== null);
    for (const button of document.querySelectorAll("[data-action=again], .suggestions button")) {
      button.disabled = !this.server.ready;
    }
    const send = byId("send");
    const waiting = !this.server.ready || this.documents.busy;
    send.disabled = this.#running ? false : waiting || !this.prompt.value.trim();
    send.setAttribute("aria-label", this.#running ? "Stop" : "Send");
    send.title = this.#running ? "Stop (Esc)" : this.documents.busy ? "The files are still being read" : "Send (Enter)";
    this.prompt.style.height = "auto";
    this.prompt.style.height = `${this.prompt.scrollHeight}px`;
  }

  #listen() {
    byId("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#running) this.stop();
      else this.send(this.prompt.value);
    });
    this.prompt.addEventListener("input", () => this.#refresh());
    this.prompt.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.send(this.prompt.value);
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !document.querySelector("dialog[open]")) this.stop();
      if (event.key.toLowerCase() === "o" && event.shiftKey && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        this.newChat();
      }
    });
    byId("messages").addEventListener("click", ({ target }) => {
      if (target.closest("[data-action=again]")) this.regenerate();
    });
    byId("messages").addEventListener("source", ({ detail }) => this.passage.show(detail));
    byId("attach").addEventListener("click", () => byId("files").click());
    byId("files").addEventListener("change", ({ target }) => {
      this.documents.attach([...target.files]);
      target.value = ""; // the same file may be chosen again
      this.prompt.focus();
    });
    byId("documents").addEventListener("click", ({ target }) => {
      if (target.closest("button")) this.prompt.focus(); // the button that was pressed is gone
    });
    byId("suggestions").addEventListener("click", ({ target }) => {
      if (!target.closest("button")) return;
      byId("send").focus();
      this.send(target.textContent);
    });
    byId("new-chat").addEventListener("click", () => this.newChat());
    byId("open-settings").addEventListener("click", () => this.settings.open());
    byId("close-settings").addEventListener("click", () => this.settings.close());
    byId("to-latest").addEventListener("click", () => this.transcript.scrollToEnd());
    window.addEventListener("pagehide", () => this.conversation.save());
  }
}

function problemText({ message, unavailable, retryAfter }, begun) {
  if (!unavailable) return message;
  if (begun) return "The engine stopped before the reply was finished. A new one is starting.";
  const wait = retryAfter ? ` It should be back in about ${retryAfter} s.` : "";
  return `The engine is restarting.${wait}`;
}

new Chat().start();
