// The conversation on screen: its messages in order, and the end kept in view while a reply grows.

import { ReplyView } from "./reply.js";

const NEAR_END = 48; // px from the end that still count as being there

export class Transcript {
  #following = true;
  #frame = 0;
  #last = null; // the view of the last reply

  constructor({ messages, scroller, toLatest }) {
    this.messages = messages;
    this.scroller = scroller;
    this.toLatest = toLatest;
    scroller.addEventListener("scroll", () => this.#setFollowing(this.#distanceToEnd() < NEAR_END), { passive: true });
    new ResizeObserver(() => this.#keepEnd()).observe(messages);
    new ResizeObserver(() => this.#keepEnd()).observe(scroller);
  }

  /** Show these messages and no others. */
  show(messages) {
    this.messages.replaceChildren();
    this.#last = null;
    messages.forEach((message) => this.append(message));
    this.scrollToEnd();
  }

  append(message) {
    if (message.role === "user") {
      this.messages.append(userNode(message));
    } else {
      this.#last = new ReplyView(message);
      this.messages.append(this.#last.node);
    }
  }

  /** Put `reply` in the place of the last one. */
  replaceLast(reply) {
    this.#last.node.remove();
    this.append(reply);
    this.scrollToEnd();
  }

  /** Draw the last reply again, at most once a frame however fast its tokens come. */
  update() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#last?.draw();
    });
  }

  scrollToEnd() {
    this.#setFollowing(true);
    this.#keepEnd();
  }

  #keepEnd() {
    if (this.#following) this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  #distanceToEnd() {
    return this.scroller.scrollHeight - this.scroller.scrollTop - this.scroller.clientHeight;
  }

  #setFollowing(following) {
    this.#following = following;
    this.toLatest.hidden = following;
  }
}

function userNode({ content }) {
  const node = document.getElementById("user-message").content.firstElementChild.cloneNode(true);
  node.querySelector(".text").textContent = content;
  return node;
}
