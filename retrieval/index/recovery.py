"""What of a folder's segments can be believed, held against what SQL has."""

import logging
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from retrieval.index import files
from retrieval.index.merging import Part
from retrieval.rows import Live

log = logging.getLogger(__name__)


def open_saved(folder: Path, dimensions: int, live: Live) -> tuple[list[Part], Int64[np.ndarray, " missing"]]:
    """The saved segments with the rows that SQL bears out, each in one segment only, and the chunks that none has.

    A chunk counts as the same by its id, its document and the digest of its text, so that an index is never believed
    that another database, or another state of it, has left behind.
    """
    opened = []
    for path in files.saved(folder):
        try:
            opened.append(files.load(path, dimensions))
        except files.DamagedSegment as error:
            log.warning("%s; it is made again", error)
            files.remove(path)
    claimed = np.zeros(len(live.ids), np.bool_)
    parts = []
    for segment in sorted(opened, key=len, reverse=True):
        own = segment.live
        rows = np.minimum(np.searchsorted(live.ids, own.ids), max(len(live.ids) - 1, 0))
        same = np.zeros(len(segment), np.bool_)
        if len(live.ids):
            same = live.ids[rows] == own.ids
            same &= (live.documents[rows] == own.documents) & (live.digests[rows] == own.digests) & ~claimed[rows]
        if not same.any():
            files.remove(segment.folder)
            continue
        claimed[rows[same]] = True
        parts.append((segment, same))
    return parts, live.ids[~claimed]
