// The settings dialog: system prompt and sampling, kept in the browser's storage.

import { load, save } from "./storage.js";

const KEY = "tradewind.settings";

export class Settings {
  constructor(dialog) {
    this.dialog = dialog;
    this.form = dialog.querySelector("form");
    this.#fill(load(KEY, {}));
    this.form.addEventListener("input", () => this.#save());
    this.form.addEventListener("reset", () => queueMicrotask(() => this.#save()));
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close(); // the backdrop
    });
  }

  open() {
    this.dialog.showModal();
  }

  close() {
    this.dialog.close();
  }

  get system() {
    return this.form.elements.system.value.trim();
  }

  /** The sampling fields that hold a valid number, named as the API names them; an empty one is the model's default. */
  get sampling() {
    const filled = [...this.form.querySelectorAll("input")].filter((input) => input.value && input.validity.valid);
    return Object.fromEntries(filled.map((input) => [input.name, input.valueAsNumber]));
  }

  #fill(values) {
    for (const [name, value] of Object.entries(values)) {
      const field = this.form.elements[name];
      if (field) field.value = value;
    }
  }

  #save() {
    save(KEY, { system: this.system, ...this.sampling });
  }
}
