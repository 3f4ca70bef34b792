"""Tradewind: an OpenAI-compatible LLM service on JAX."""

from importlib.metadata import version

__version__ = version("tradewind")
