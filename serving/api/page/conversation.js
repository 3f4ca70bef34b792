// The conversation: its messages, what of it is sent, and its place in the browser's storage.

import { load, save } from "./storage.js";

const KEY = "tradewind.conversation";

/**
 * Messages are `{role: "user", content}` and `{role: "assistant", content, state, problem, figures}`, where `state` is
 * streaming, complete, cut (by the token limit), stopped (by the reader) or failed (`problem` says why). `sources` are
 * the passages that a reply cites, and `retrieval` says how they were found, both as the API has them.
 */
export class Conversation {
  constructor() {
    this.messages = load(KEY, []);
    for (const message of this.messages) {
      if (message.state === "streaming") message.state = "stopped"; // the page was closed while it was being written
    }
  }

  /** Add a user's message with the still empty reply to it; the reply is returned. */
  ask(content) {
    this.messages.push({ role: "user", content });
    return this.#openReply();
  }

  /** Replace the last reply by an empty one, which is returned. */
  askAgain() {
    this.messages.pop();
    return this.#openReply();
  }

  /** What the model is to read: the system prompt, then every turn that got an answer, then the open question. */
  prompt(system) {
    const turns = system ? [{ role: "system", content: system }] : [];
    for (let i = 0; i + 1 < this.messages.length; i += 2) {
      const [question, reply] = this.messages.slice(i, i + 2);
      if (reply.state === "streaming") turns.push(question);
      // A question that was never answered is left out: many chat templates refuse two user turns in a row.
      else if (reply.content) turns.push(question, reply);
    }
    return turns.map(({ role, content }) => ({ role, content }));
  }

  clear() {
    this.messages = [];
    this.save();
  }

  save() {
    save(KEY, this.messages);
  }

  #openReply() {
    const reply = { role: "assistant", content: "", state: "streaming", problem: "", figures: null, sources: [], retrieval: null };
    this.messages.push(reply);
    this.save();
    return reply;
  }
}
