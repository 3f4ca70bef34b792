"""Retrieval: documents parsed, cut into chunks, kept in SQL, found again by meaning and by words. No HTTP, no JAX."""
