"""Source code: a block for each definition at the left margin."""

from retrieval.parsing.blocks import Block
from retrieval.parsing.code import parse


def test_definitions_are_blocks_headed_by_their_first_line():
    source = b"""import os

LIMIT = 3

@cache
def load(
    path,
):
    text = open(path)

    return text

class Shelf:
    def put(self):
        pass

    def take(self):
        pass
"""
    assert parse(source).blocks == (
        Block("import os", kind="code"),
        Block("LIMIT = 3", kind="code"),
        Block(
            "@cache\ndef load(\n    path,\n):\n    text = open(path)\n\n    return text", ("def load(",), kind="code"
        ),
        Block(
            "class Shelf:\n    def put(self):\n        pass\n\n    def take(self):\n        pass",
            ("class Shelf",),
            kind="code",
        ),
    )


def test_closing_brackets_stay_with_what_they_close():
    source = b"pub fn area(s: Shape) -> f64 {\n\n    s.w * s.h\n\n}\n\nstruct Shape {\n    w: f64,\n}\n"
    assert parse(source).blocks == (
        Block("pub fn area(s: Shape) -> f64 {\n\n    s.w * s.h\n\n}", ("pub fn area(s: Shape) -> f64",), kind="code"),
        Block("struct Shape {\n    w: f64,\n}", ("struct Shape",), kind="code"),
    )
