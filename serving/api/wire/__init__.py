"""What travels over the wire: pydantic models of request bodies, typed dicts of answers. No behaviour."""
