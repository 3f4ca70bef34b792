"""Measures a model on examples that were never trained on, and lets it answer fixed prompts."""
