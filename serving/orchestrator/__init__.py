"""One request's life between HTTP and the engine: prompt, tokens, text, stop strings, choices. Knows nothing of HTTP."""
