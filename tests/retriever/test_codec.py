"""Values over the wire and back."""

import pytest

from serving.retriever import codec
from serving.retriever.request import (
    Adding,
    Collection,
    Collections,
    Document,
    Documents,
    Hit,
    Hits,
    InCollection,
    Listing,
    OneDocument,
    Query,
    Receipt,
    Receipts,
    RetrieverDescription,
    RetrieverStats,
    Searching,
    Upload,
)

METADATA = {"year": 2020, "share": 0.5, "tags": ["a", None, True], "name": "größe", "large": 2**70}
CONDITION = {"type": "and", "filters": [{"type": "eq", "key": "year", "value": 2020}]}
HIT = Hit("d", 2**40, "text\n", -0.125, "s", "t", ("one", "two"), None, 0, METADATA)

VALUES = [
    RetrieverDescription("e fp", 384, 2**40),
    RetrieverStats(1, 2**40, 3, 4, 0.25),
    InCollection("tenant", "name"),
    Collection("name", "e", 384, 1.5e9, 1, 2, 3),
    Collections((Collection("name", "e", 384, 1.5),)),
    Adding("t", "c", (Upload("a", b"\0\xff", "text/plain", "here", METADATA), Upload("b", b""))),
    Receipts((Receipt("a", "pending"), Receipt("b", "unchanged"))),
    Listing("t", "c", "after", 500),
    OneDocument("t", "c", "folder/a b.txt"),
    Document("a", "failed", "why", "s", "m", "t", METADATA, 5, 6, 7.5),
    Documents((Document("a", "ready", None, "s", "m", "t", {}, 5, 6, 7.5),)),
    Searching("t", "c", Query("what", 3, "bm25", CONDITION)),
    Searching("t", "c", Query("what")),
    Hits((HIT, Hit("d", 1, "", 1.0, "", "", (), 12, 3, {}))),
    Hits(()),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_comes_out_as_it_went_in(value):
    assert codec.decode(type(value), codec.encode(value)) == value


def test_every_call_has_both_its_ways():
    assert codec.CALLS.keys() | {"WatchStartup", "WatchStats"} == codec.METHODS.keys()
    call = codec.CALLS["Search"]
    asked = Searching("t", "c", Query("what"))
    assert call.decode_request(call.encode_request(asked)) == asked
    assert call.decode_answer(call.encode_answer(Hits((HIT,)))) == Hits((HIT,))
    assert codec.CALLS["Drop"].decode_answer(codec.CALLS["Drop"].encode_answer(None)) is None


def test_what_the_wire_has_no_room_for_is_refused():
    with pytest.raises(ValueError, match="no Hits can be read"):
        codec.decode(Hits, b"\xff\xff")
    for wrong in (OneDocument("t", "c", "\ud800"), Listing("t", "c", limit=2**40)):
        with pytest.raises(ValueError):  # noqa: PT011 - protobuf's own words
            codec.encode(wrong)
