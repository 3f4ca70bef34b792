"""HTTP: the OpenAI wire protocol, server-sent events, the error envelope, metrics, and the chat page's files."""
