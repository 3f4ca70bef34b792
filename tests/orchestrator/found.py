"""Passages as a retriever finds them."""

from serving.retriever.request import Hit


def hit(
    text: str, document: str = "notes.md", *, chunk: int = 1, title: str = "", headings: tuple[str, ...] = ()
) -> Hit:
    """A passage with nothing remarkable about it but what is given."""
    return Hit(document, chunk, text, 0.5, f"file:///{document}", title, headings, None, 0, {})
