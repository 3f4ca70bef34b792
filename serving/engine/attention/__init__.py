"""Attention over pages: where keys and values are kept, and how the queries of a step read them."""
