"""Whose documents a request is about."""

import hashlib

import pytest
from starlette.requests import Request

from serving.api.tenant import DEFAULT_TENANT, tenant_of


def tenant(authorization: str | None) -> str:
    headers = [] if authorization is None else [(b"authorization", authorization.encode())]
    return tenant_of(Request({"type": "http", "headers": headers}))


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer  ", "Basic abc", "abc"])
def test_without_a_key_everybody_is_one_tenant(authorization):
    assert tenant(authorization) == DEFAULT_TENANT == "default"


def test_a_key_is_its_holder_and_is_kept_nowhere():
    digest = hashlib.sha256(b"sk-1").hexdigest()
    assert tenant("Bearer sk-1") == tenant("bearer  sk-1 ") == f"key-{digest[:32]}"
    assert tenant("Bearer sk-2") != tenant("Bearer sk-1")
