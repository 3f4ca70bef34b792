import re


async def test_the_fleet_starts_and_stops_with_the_app(bench):
    b = bench()
    async with b.app.router.lifespan_context(b.app):
        assert b.fleet.events == ["start"]
    assert b.fleet.events == ["start", "stop"]


async def test_the_page_is_at_the_root(bench):
    http = bench().http
    response = await http.get("/")
    assert response.status_code == 200 and response.headers["content-type"].startswith("text/html")
    scripts = re.findall(r'(?:src|href)="([^"]+\.(?:js|css|svg))"', response.text)
    assert scripts
    for script in scripts:
        assert (await http.get(f"/{script.lstrip('./')}")).status_code == 200
    assert (await http.get("/../app.py")).status_code == 404


async def test_the_documentation_needs_no_other_host(bench):
    http = bench().http
    page = (await http.get("/docs")).text
    assert not re.search(r"https?://", page)
    for asset in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert (await http.get(asset)).status_code == 200
    assert '"validatorUrl": null' in page


async def test_the_openapi_document_describes_every_endpoint(bench):
    document = (await bench().http.get("/openapi.json")).json()
    assert document["paths"].keys() == {
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/embeddings",
        "/v1/models",
        "/v1/models/{model}",
        "/v1/collections",
        "/v1/collections/{name}",
        "/v1/collections/{name}/documents",
        "/v1/collections/{name}/documents/{document}",
        "/v1/collections/{name}/search",
        "/tokenizer_info",
        "/tokenize",
        "/detokenize",
        "/health",
        "/ready",
        "/metrics",
    }
    statuses = {
        status for path in document["paths"].values() for method in path.values() for status in method["responses"]
    }
    assert statuses == {"200", "202", "4XX", "5XX"}  # documents are accepted first and read after that
