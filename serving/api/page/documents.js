// The files that the reader attached to the conversation: sent to a collection of their own, and watched until read.

import { load, save } from "./storage.js";

const KEY = "tradewind.documents";
const PERIOD = 500; // ms between two questions whether files are read by now

/**
 * Files are `{name, state, chunks, problem}`, where `state` is sending, pending (to be read), ready or failed (`problem`
 * says why). `onChange` is called when one of them changed.
 */
export class Documents {
  #asking = false;
  #nodes = new WeakMap(); // of files

  constructor(list, onChange) {
    this.list = list;
    this.onChange = onChange;
    ({ name: this.name, files: this.files } = load(KEY, { name: null, files: [] }));
    for (const file of this.files) {
      if (file.state === "sending") fail(file, "The page was closed before it was sent.");
    }
    this.#draw();
    this.#watch();
  }

  /** The collection to answer from; null while there is nothing in it. */
  get collection() {
    return this.files.some(({ state }) => state === "ready") ? this.name : null;
  }

  /** Whether files are still on their way. */
  get busy() {
    return this.files.some(({ state }) => state === "sending" || state === "pending");
  }

  /** Send files; each is by its name, and takes the place of one that has the same. */
  async attach(chosen) {
    this.name ??= `chat-${crypto.getRandomValues(new Uint32Array(4)).join("-")}`;
    await Promise.all(chosen.map((file) => this.#send(file)));
    this.#watch();
  }

  /** Take a file out again. */
  async remove(file) {
    this.files = this.files.filter((other) => other !== file);
    this.#changed();
    if (file.kept) await quietly("DELETE", this.#url(file));
  }

  /** Forget all files, here and on the server. */
  clear() {
    if (this.name) quietly("DELETE", `v1/collections/${this.name}`);
    this.name = null;
    this.files = [];
    this.#changed();
  }

  async #send(chosen) {
    const file = { name: chosen.name, state: "sending", chunks: 0, problem: "", kept: false };
    this.files = [...this.files.filter(({ name }) => name !== file.name), file];
    this.#changed();
    const form = new FormData();
    form.append("files", chosen);
    const [collection, own] = [`v1/collections/${this.name}`, this.#url(file)];
    try {
      await ask("POST", `${collection}/documents`, form);
      Object.assign(file, { state: "pending", kept: true });
      // It was taken out, or the conversation has ended, while it was on its way.
      if (!this.files.includes(file)) await quietly("DELETE", this.name ? own : collection);
    } catch (failure) {
      fail(file, failure.message);
    }
    this.#changed();
  }

  /** Ask until every file is read, or is known to be unreadable. */
  async #watch() {
    if (this.#asking) return;
    this.#asking = true;
    for (let pending; (pending = this.files.filter(({ state }) => state === "pending")).length; ) {
      await Promise.all(pending.map((file) => this.#look(file)));
      this.#changed();
      if (pending.some(({ state }) => state === "pending")) await new Promise((wake) => setTimeout(wake, PERIOD));
    }
    this.#asking = false;
  }

  async #look(file) {
    try {
      const { status, error, chunks } = await ask("GET", this.#url(file));
      Object.assign(file, { state: status, problem: (error ?? "").replace(`${file.name}: `, ""), chunks });
    } catch (failure) {
      if (!failure.passing) fail(file, failure.message);
    }
  }

  #url({ name }) {
    return `v1/collections/${this.name}/documents/${encodeURIComponent(name)}`;
  }

  #changed() {
    save(KEY, { name: this.name, files: this.files });
    this.#draw();
    this.onChange();
  }

  #draw() {
    this.list.hidden = this.files.length === 0;
    const nodes = this.files.map((file) => this.#nodeOf(file));
    for (const node of [...this.list.children]) {
      if (!nodes.includes(node)) node.remove();
    }
    this.list.append(...nodes.filter((node) => !node.isConnected)); // the others stay, and with them the focus
  }

  #nodeOf(file) {
    const node = this.#nodes.get(file) ?? this.#newNode(file);
    node.dataset.state = file.state;
    node.querySelector(".state").textContent = stateText(file);
    node.querySelector("progress").hidden = file.state === "ready" || file.state === "failed";
    return node;
  }

  #newNode(file) {
    const node = document.getElementById("document").content.firstElementChild.cloneNode(true);
    node.querySelector(".name").textContent = file.name;
    node.querySelector("progress").setAttribute("aria-label", `${file.name} is being read`);
    const remove = node.querySelector("button");
    remove.setAttribute("aria-label", `Remove ${file.name}`);
    remove.addEventListener("click", () => this.remove(file));
    this.#nodes.set(file, node);
    return node;
  }
}

function stateText({ state, chunks, problem }) {
  switch (state) {
    case "sending": return "sending";
    case "pending": return "being read";
    case "ready": return chunks === 1 ? "1 passage" : `${chunks} passages`;
    default: return problem;
  }
}

function fail(file, problem) {
  Object.assign(file, { state: "failed", problem });
}

/** The JSON answer. Throws an Error for people; `passing` says that it is worth asking again. */
async function ask(method, url, body) {
  const response = await fetch(url, { method, body, cache: "no-store" }).catch(() => null);
  if (response?.ok) return response.json();
  const answer = await response?.json().catch(() => null);
  const failure = new Error(answer?.error?.message ?? "The server did not answer.");
  failure.passing = !response || response.status === 503;
  throw failure;
}

/** What is no longer needed is asked to be removed; nobody waits for the answer. */
async function quietly(method, url) {
  await ask(method, url).catch(() => {});
}
