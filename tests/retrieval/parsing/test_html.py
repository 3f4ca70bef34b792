"""HTML: what a reader sees of a page, in order, and nothing else."""

import pytest

from retrieval.errors import UnreadableDocument
from retrieval.parsing.blocks import Block
from retrieval.parsing.html import parse


def test_the_text_of_a_page_under_its_headings():
    document = parse(
        b"""<!doctype html><html><head><title> A
        page </title><style>p{}</style></head><body>
        <nav>Menu <nav>inner</nav></nav>
        <main><h1>Fish &amp; chips</h1>Bare <b>te</b>xt<br>goes on
        <p>A paragraph<p>Another
        <h2>Prices</h2><table><tr><th>Fish<th>5<tr><td>Chips<td>3 <i>only</i></table>
        <ul><li>first <ul><li>inner</ul><li>second</ul>
        <pre>  x = 1
  y = 2</pre>
        <div hidden>secret</div><script>alert(1)</script>
        <h1>Next</h1><div>outer <p>inner</p> tail</div></main><footer>legal</footer>"""
    )
    assert document.title == "A page"
    assert document.blocks == (
        Block("Bare text goes on", ("Fish & chips",)),
        Block("A paragraph", ("Fish & chips",)),
        Block("Another", ("Fish & chips",)),
        Block("Fish | 5\nChips | 3 only", ("Fish & chips", "Prices"), kind="table"),
        Block("- first inner\n- second", ("Fish & chips", "Prices")),
        Block("  x = 1\n  y = 2", ("Fish & chips", "Prices"), kind="code"),
        Block("outer", ("Next",)),
        Block("inner", ("Next",)),
        Block("tail", ("Next",)),
    )


def test_the_encoding_that_the_page_declares_is_used():
    page = '<meta http-equiv="content-type" content="text/html; charset=koi8-r"><p>\u041f\u0440\u0438\u0432\u0435\u0442'
    assert parse(page.encode("koi8-r")).blocks == (Block("\u041f\u0440\u0438\u0432\u0435\u0442"),)


def test_deep_nesting_is_read_within_reason():
    document = parse(b"<p>line" * 9000 + b"<div>" * 3000 + b"deep" + b"</div>" * 3000)
    assert [block.text for block in document.blocks][-2:] == ["line", "deep"]
    with pytest.raises(UnreadableDocument, match="lie 100,000 deep inside each other; accepted are 4,000"):
        parse(b"<div>" * 100_000 + b"deep")
