// The OpenAI wire format: one chat completion as an async stream of what it brings.

const OVERLOADED = "server_is_overloaded"; // the error code of a server without an engine

/**
 * A request that was not served. `message` is for people; `unavailable` says that the server has no engine now,
 * and `retryAfter` in how many seconds it should have one, where that is known.
 */
export class ServerError extends Error {
  constructor(message, { unavailable = false, retryAfter = null } = {}) {
    super(message);
    this.name = "ServerError";
    this.unavailable = unavailable;
    this.retryAfter = retryAfter;
  }
}

/** Yield the data of each server-sent event of `body`, a stream of bytes cut anywhere. */
export async function* serverSentEvents(body) {
  let pending = "";
  let data = [];
  for await (const text of chunks(body.pipeThrough(new TextDecoderStream()))) {
    const lines = (pending + text).split(/\r\n|\n|\r(?=[^\n])/);
    pending = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (data.length) yield data.join("\n");
        data = [];
      } else if (line.startsWith("data:")) {
        data.push(line.slice(line[5] === " " ? 6 : 5));
      }
    }
  }
}

/**
 * Ask for a chat completion and yield `{text}`, `{finish}`, `{sources, retrieval}` and `{usage}` as they arrive.
 * Throws ServerError when the server refuses, fails midway or hangs up, and AbortError when `signal` fires.
 */
export async function* streamReply(request, signal) {
  const response = await post("v1/chat/completions", request, signal);
  for await (const data of serverSentEvents(response.body)) {
    if (data === "[DONE]") return;
    const chunk = JSON.parse(data);
    if (chunk.error) throw new ServerError(chunk.error.message, { unavailable: chunk.error.code === OVERLOADED });
    const choice = chunk.choices?.[0];
    if (choice?.delta?.content) yield { text: choice.delta.content };
    if (choice?.finish_reason) yield { finish: choice.finish_reason };
    if (chunk.retrieval) yield { sources: choice.delta.annotations, retrieval: chunk.retrieval };
    if (chunk.usage) yield { usage: chunk.usage };
  }
  throw new ServerError("The connection closed before the reply was finished.");
}

/** Send JSON; the response is returned when it says that all went well. Throws as `streamReply`. */
async function post(url, body, signal) {
  const request = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body), signal };
  const response = await fetch(url, request).catch((failure) => {
    throw signal.aborted ? failure : new ServerError("The server did not answer. Is it still running?");
  });
  if (response.ok) return response;
  const answer = await response.json().catch(() => null);
  const retryAfter = Number(response.headers.get("retry-after")) || null;
  throw new ServerError(answer?.error?.message ?? `The server answered with status ${response.status}.`, {
    unavailable: response.status === 503,
    retryAfter,
  });
}

// ReadableStream is not yet iterable in every browser.
async function* chunks(stream) {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
