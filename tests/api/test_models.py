import pytest


async def test_the_list_and_its_one_model(bench):
    http = bench().http
    card = {"id": "tiny", "object": "model", "created": 1_700_000_000, "owned_by": "tradewind"}
    card |= {"task": "generate", "max_model_len": 128}
    assert (await http.get("/v1/models")).json() == {"object": "list", "data": [card]}
    assert (await http.get("/v1/models/tiny")).json() == card


@pytest.mark.parametrize("name", ["gpt-9", "owner/name", "%ff", "", "tiny/"])
async def test_other_names(bench, name):
    response = await bench().http.get(f"/v1/models/{name}")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "model_not_found"


async def test_the_context_is_unknown_until_the_engine_is_ready(bench):
    b = bench()
    b.replica.description = None
    assert (await b.http.get("/v1/models/tiny")).json()["max_model_len"] is None
