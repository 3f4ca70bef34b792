"""PDF: text with its page, under the outline's headings."""

import io

import pytest
from pypdf import PdfReader, PdfWriter

from retrieval.errors import UnreadableDocument
from retrieval.parsing.blocks import Block
from retrieval.parsing.pdf import parse
from tests.retrieval.parsing.pdf_file import pdf


def test_paragraphs_know_their_page_and_heading():
    document = parse(
        pdf(
            [["A first para-", "graph of two lines."], ["On page two."], ["Page three."]],
            title="The Report",
            outline=[("Beginning", 0), ("End", 2)],
        )
    )
    assert document.title == "The Report"
    assert document.blocks == (
        Block("A first paragraph of two lines.", ("Beginning",), 1),
        Block("On page two.", ("Beginning",), 2),
        Block("Page three.", ("End",), 3),
    )


def test_pages_without_text_are_told():
    with pytest.raises(UnreadableDocument, match="its 2 pages hold no text"):
        parse(pdf([[], []]))


def test_a_locked_file_is_told_and_one_without_a_password_is_read():
    def encrypted(user_password: str) -> bytes:
        writer = PdfWriter(PdfReader(io.BytesIO(pdf([["Hidden words."]]))))
        writer.encrypt(user_password, "owner", algorithm="RC4-128")
        written = io.BytesIO()
        writer.write(written)
        return written.getvalue()

    with pytest.raises(UnreadableDocument, match="locked with a password"):
        parse(encrypted("secret"))
    assert parse(encrypted("")).blocks == (Block("Hidden words.", (), 1),)
