// What the server says of itself: is it ready, how far has it come, which models does it serve?

const PERIOD = 1000; // ms between two questions

export class ServerStatus {
  ready = false;
  #asking = false;

  /** `show` is called with `{ready, models, text, done, total}` after every answer. */
  constructor(show) {
    this.show = show;
  }

  /** Ask until the server is ready. */
  async watch() {
    if (this.#asking) return;
    this.#asking = true;
    for (;;) {
      const status = await ask();
      this.ready = status.ready;
      this.show(status);
      if (this.ready) break;
      await new Promise((wake) => setTimeout(wake, PERIOD));
    }
    this.#asking = false;
  }
}

async function ask() {
  try {
    const response = await fetch("ready", { cache: "no-store" });
    if (response.ok) return { ready: true, models: await listModels() };
    return { ready: false, ...progress(await response.json()) };
  } catch {
    return { ready: false, text: "The server does not answer. Waiting for it to come back", done: 0, total: 0 };
  }
}

async function listModels() {
  const response = await fetch("v1/models", { cache: "no-store" });
  return (await response.json()).data.map(({ id }) => id);
}

const STAGES = {
  loading: "Loading the model",
  compiling: "Compiling the model for this machine",
  failed: "The engine could not start. The server’s log says why",
};

function progress({ stage, message, done = 0, total = 0 }) {
  return { text: message || STAGES[stage] || "The engine is starting", done, total };
}
