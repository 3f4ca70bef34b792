"""Whose documents a request is about. Until there are accounts, an API key stands for its holder."""

import hashlib
from typing import Annotated

from fastapi import Depends, Request

DEFAULT_TENANT = "default"
"""Everybody without a key."""


def tenant_of(request: Request) -> str:
    """The tenant of the request's bearer key, which is kept nowhere; `DEFAULT_TENANT` where it has none."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        return DEFAULT_TENANT
    return f"key-{hashlib.sha256(key.strip().encode()).hexdigest()[:32]}"


Tenant = Annotated[str, Depends(tenant_of)]
