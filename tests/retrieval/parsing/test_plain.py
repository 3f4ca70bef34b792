"""Plain text and its encodings."""

import pytest

from retrieval.parsing.blocks import Block
from retrieval.parsing.plain import parse, parse_table


def test_paragraphs_are_parted_by_empty_lines():
    document = parse(b"One\nstill one.\n\n  \n\tTwo.\r\n\r\nThree.\n")
    assert document.blocks == (Block("One\nstill one."), Block("Two."), Block("Three."))


@pytest.mark.parametrize(
    "data",
    [
        "Caf\u00e9 \u2013 na\u00efve".encode(),
        "Caf\u00e9 \u2013 na\u00efve".encode("utf-8-sig"),
        "Caf\u00e9 \u2013 na\u00efve".encode("utf-16"),
        "Caf\u00e9 \u2013 na\u00efve".encode("utf-32"),
        "Caf\u00e9 \u2013 na\u00efve".encode("windows-1252"),
    ],
)
def test_encodings_are_told_apart(data):
    assert parse(data).blocks == (Block("Caf\u00e9 \u2013 na\u00efve"),)


def test_a_table_stays_in_one_piece():
    assert parse_table(b"a,b\n\n1,2\n").blocks == (Block("a,b\n\n1,2", kind="table"),)
