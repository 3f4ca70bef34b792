"""Indexes of vectors and words: immutable segments, a snapshot of them that serves, and their merging."""
