"""Who reads what, and what is said of a file that nobody can read."""

import pytest

from retrieval.errors import UnreadableDocument
from retrieval.parsing.formats import format_of, parse
from tests.retrieval.parsing.pdf_file import pdf


@pytest.mark.parametrize(
    ("name", "media_type", "data", "expected"),
    [
        ("notes.md", "", b"", "text/markdown"),
        ("notes.MD", "application/octet-stream", b"", "text/markdown"),
        ("notes.md", "text/html; charset=utf-8", b"", "text/html"),
        ("src/main.rs", "", b"", "text/x-source"),
        ("Dockerfile", "", b"", "text/x-source"),
        ("data", "application/json", b"", "text/x-source"),
        ("table.tsv", "", b"", "text/csv"),
        ("scan", "", b"%PDF-1.7 ...", "application/pdf"),
        ("page", "", b"\n <!DOCTYPE html><p>x", "text/html"),
        ("README", "", b"plain words", "text/plain"),
        ("letter", "text/x-unheard-of", b"plain words", "text/plain"),
    ],
)
def test_the_format_is_known_by_type_then_name_then_content(name, media_type, data, expected):
    assert format_of(name, media_type, data).media_type == expected


def test_other_kinds_of_files_are_refused_with_those_that_are_read():
    with pytest.raises(UnreadableDocument, match=r"cat.jpg: documents of type image/jpeg .* text/markdown, text/html"):
        parse(b"\xff\xd8\xff", "cat.jpg", "image/jpeg")


def test_what_no_database_takes_is_marked():
    document = parse(pdf([["A gale."]], title="Lo\\000gs", outline=[("Day\\0001", 0)]), "log.pdf")
    assert document.title == "Lo\ufffdgs"
    assert [(block.text, block.headings) for block in document.blocks] == [("A gale.", ("Day\ufffd1",))]


@pytest.mark.parametrize(
    ("data", "name", "reason"),
    [
        (b"GIF89a\x00\x01", "cat", "cat: it holds control characters"),
        (b"", "empty.txt", "empty.txt: it holds no text"),
        (b" \n\n ", "blank.md", "blank.md: it holds no text"),
        (b"<html><script>x</script>", "page.html", "page.html: it holds no text"),
        (b"%PDF-1.4\nnothing more", "broken.pdf", "broken.pdf: the file is damaged"),
    ],
)
def test_what_holds_no_text_is_told_by_name(data, name, reason):
    with pytest.raises(UnreadableDocument, match=reason):
        parse(data, name)
