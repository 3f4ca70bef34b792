"""Saved segments: believed only when whole."""

import json
import pickle

import numpy as np
import pytest

from retrieval.index import files
from retrieval.index.files import DamagedSegment, load, saved
from retrieval.index.merging import merge
from retrieval.index.policy import IndexPolicy
from retrieval.index.segment import Segment
from retrieval.index.snapshot import Snapshot
from tests.retrieval.index.rows import DIMENSIONS, chunk_rows, unit

POLICY = IndexPolicy(saved_from=10, hashed_from=10)
QUERY = unit(1, seed=3)[0]


@pytest.fixture
def segment(tmp_path) -> Segment:
    """A saved one."""
    return merge(Snapshot().with_segment(Segment.of(chunk_rows(120))).parts, POLICY, tmp_path)


def everything(path):
    """All files of a folder."""
    return sorted(file for file in path.rglob("*") if file.is_file())


def test_a_segment_is_loaded_as_it_was_saved(segment):
    loaded = load(segment.folder, DIMENSIONS)
    assert loaded.live.ids.tolist() == list(range(1, 121)) and loaded.tuned == segment.tuned
    whole = np.ones(120, np.bool_)
    assert loaded.nearest(QUERY, 9, whole)[0].tolist() == segment.nearest(QUERY, 9, whole)[0].tolist()
    assert loaded.postings.frequency("common") == 120


def test_no_file_is_a_pickle(segment):
    for file in everything(segment.folder):
        assert file.suffix in (".npy", ".json", ".pb", ".pbtxt")
        if file.suffix == ".npy":
            assert not np.load(file, allow_pickle=False).dtype.hasobject


def test_any_damaged_file_is_noticed(segment, tmp_path):
    for file in everything(segment.folder):
        content = file.read_bytes()
        for damaged in (content[:-1], content[:-3] + bytes([content[-3] ^ 1]) + content[-2:], b""):
            file.write_bytes(damaged)
            with pytest.raises(DamagedSegment):
                load(segment.folder, DIMENSIONS)
        file.unlink()
        with pytest.raises(DamagedSegment):
            load(segment.folder, DIMENSIONS)
        file.write_bytes(content)
    assert len(load(segment.folder, DIMENSIONS)) == 120


def test_a_file_that_does_not_belong_there_is_not_opened(segment):
    (segment.folder / "scann" / "scann_docids.pkl").write_bytes(pickle.dumps(["evil"]))
    with pytest.raises(DamagedSegment, match="does not hold the files that it should"):
        load(segment.folder, DIMENSIONS)


def test_other_versions_and_other_encoders_are_told(segment):
    with pytest.raises(DamagedSegment, match=r"vectors of shape \(120, 16\), not of 17 dimensions"):
        load(segment.folder, 17)
    manifest = segment.folder / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"format": files.FORMAT + 1}))
    with pytest.raises(DamagedSegment, match="has format 2; this version reads 1"):
        load(segment.folder, DIMENSIONS)


def test_an_unfinished_draft_is_never_opened_and_goes(segment, tmp_path, monkeypatch):
    class Crash(BaseException):
        """The process ends here."""

    def crash(*_):
        raise Crash

    monkeypatch.setattr(files, "_sync", crash)
    with pytest.raises(Crash):
        merge([(segment, np.ones(120, np.bool_))], POLICY, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    assert saved(tmp_path) == [segment.folder]
    assert list(tmp_path.iterdir()) == [segment.folder]


def test_a_draft_that_fails_leaves_nothing(segment, tmp_path, monkeypatch):
    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(files, "_sync", full)
    with pytest.raises(OSError, match="no space"):
        merge([(segment, np.ones(120, np.bool_))], POLICY, tmp_path)
    assert list(tmp_path.iterdir()) == [segment.folder]
