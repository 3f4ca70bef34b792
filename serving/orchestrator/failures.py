"""Why a request is not served, said to the person who sent it."""


class InvalidRequest(Exception):
    """The request cannot be served as it stands. The message says what was given and what is accepted.

    `field` is the request's field by the name that its sender knows, such as `max_tokens` or `messages[2].content`.
    """

    def __init__(self, message: str, field: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.field = field
        self.code = code


class GenerationFailed(Exception):
    """The engine gave up on a request. The message is the engine's own, meant for people."""
