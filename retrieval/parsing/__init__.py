"""Bytes of a document to blocks of text: one file a format."""
