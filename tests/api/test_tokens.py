import pytest

from tests.orchestrator.scripted import TEMPLATE, VOCABULARY


async def test_the_tokenizer_is_described(bench):
    info = (await bench().http.get("/tokenizer_info")).json()
    assert info == {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "vocab_size": VOCABULARY,
        "bos_token": "<|begin|>",
        "eos_token": "<|end|>",
        "chat_template": TEMPLATE,
    }


@pytest.mark.parametrize("text", ["hello world", "", "世界", "<|end|>"])
async def test_there_and_back(bench, text):
    b = bench()
    tokenized = (await b.http.post("/tokenize", json={"prompt": text, "add_special_tokens": False})).json()
    assert tokenized == {"count": len(b.ids(text)), "max_model_len": 128, "tokens": b.ids(text), "token_strs": None}
    assert (await b.http.post("/detokenize", json={"tokens": tokenized["tokens"]})).json() == {"prompt": text}


async def test_messages_and_token_strings(bench):
    b = bench()
    body = {"messages": [{"role": "user", "content": "hello"}], "return_token_strs": True}
    answer = (await b.http.post("/tokenize", json=body)).json()
    assert "".join(answer["token_strs"]) == "<|begin|>[user]hello\n[assistant]"
    assert answer["tokens"] == b.ids("<|begin|>[user]hello\n[assistant]")


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/tokenize", {"prompt": "a", "messages": [{"role": "user", "content": "a"}]}, None),
        ("/tokenize", {}, None),
        ("/tokenize", {"prompt": 5}, "prompt"),
        ("/detokenize", {"tokens": [VOCABULARY]}, "tokens"),
        ("/detokenize", {"tokens": ["x"]}, "tokens[0]"),
        ("/detokenize", {}, "tokens"),
        ("/tokenize", {"prompt": "a", "model": "other"}, "model"),
    ],
)
async def test_what_cannot_be_read(bench, path, body, param):
    response = await bench().http.post(path, json=body)
    assert response.status_code == (404 if param == "model" else 400)
    assert response.json()["error"]["param"] == param
