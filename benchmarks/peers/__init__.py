"""Engines that others wrote, each in an environment of its own that is made on demand and is no part of the product."""
