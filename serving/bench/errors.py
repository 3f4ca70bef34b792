"""What a person who runs a measurement can have done wrong, or a server at its beginning."""


class BenchError(Exception):
    """The measurement cannot be made as asked; the message is for people."""
