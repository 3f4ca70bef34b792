"""One request's life between wire and engine: prompt, tokens, text, stop strings, choices. Knows nothing of HTTP."""
