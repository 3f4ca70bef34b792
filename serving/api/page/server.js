// What the server says of itself: is it ready, how far has it come, which models does it serve?

const PERIOD = 1000; // ms between two questions

const STAGES = {
  starting: "Starting the engine",
  loading: "Loading the model",
  compiling: "Compiling the model for this machine",
  failed: "The engine stopped. Waiting for the next one",
};

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
    const { stage, done, total } = (await response.json()).progress;
    return { ready: false, text: STAGES[stage], done, total };
  } catch {
    return { ready: false, text: "The server does not answer. Waiting for it to come back", done: 0, total: 0 };
  }
}

async function listModels() {
  const response = await fetch("v1/models", { cache: "no-store" });
  const { data } = await response.json();
  return data.filter(({ task }) => task === "generate").map(({ id }) => id);
}
