"""Markdown: the heading path, blocks with their source, front matter."""

from retrieval.parsing.blocks import Block
from retrieval.parsing.markdown import parse

PAGE = """---
author: Ann
title: "The Manual"
---
Before any heading.

# Set *up* `it`
Two lines
of one paragraph.

- an item
- another

### Deep
```python
# no heading
x = 1
```

| a | b |
|---|---|
| 1 | 2 |

<!-- a note to the author -->

Second
======
> quoted
"""


def test_blocks_stand_under_their_headings():
    document = parse(PAGE.encode())
    assert document.title == "The Manual"
    assert document.blocks == (
        Block("Before any heading."),
        Block("Two lines\nof one paragraph.", ("Set up it",)),
        Block("- an item\n- another", ("Set up it",)),
        Block("```python\n# no heading\nx = 1\n```", ("Set up it", "Deep"), kind="code"),
        Block("| a | b |\n|---|---|\n| 1 | 2 |", ("Set up it", "Deep"), kind="table"),
        Block("> quoted", ("Second",)),
    )


def test_the_first_heading_is_the_title_when_nothing_else_says_it():
    assert parse(b"## Early\n\n# Main\n\n# Other\n\ntext").title == "Main"
    assert parse(b"just text").title == ""
