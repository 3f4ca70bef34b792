"""Which tokens a model folder gives a role: bos, eos, pad and the like."""

from pathlib import Path
from typing import Any

from serving.models.folder import ModelFolderError, read_json


def special_tokens(folder: Path) -> dict[str, str]:
    """Tokens by role (`bos_token`, `eos_token`, ...). tokenizer_config.json wins over special_tokens_map.json.

    A token is written as a string or as {"content": ...}. Raises ModelFolderError.
    """
    tokens: dict[str, str] = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        for role, token in read_json(folder / name, required=False).items():
            content = token.get("content") if isinstance(token, dict) else token
            if role.endswith("_token") and isinstance(content, str):
                tokens[role] = content
    return tokens


def eos_token_ids(folder: Path) -> tuple[int, ...]:
    """The ids that end a reply: those of generation_config.json, else of config.json, and the tokenizer's own.

    The tokenizer's counts always, since a chat model's turn often ends in another token than its base model's text,
    and config.json was not always changed. Raises ModelFolderError, which names the file and what is accepted.
    """
    ids: tuple[int, ...] = ()
    for name in ("generation_config.json", "config.json"):
        ids = ids or _token_ids(folder / name, read_json(folder / name, required=False).get("eos_token_id"))
    eos_token = special_tokens(folder).get("eos_token")
    added = read_json(folder / "tokenizer.json", required=False).get("added_tokens") or []
    own = [token["id"] for token in added if token["content"] == eos_token]
    return tuple(dict.fromkeys((*ids, *own)))


def _token_ids(path: Path, value: Any) -> tuple[int, ...]:
    ids = value if isinstance(value, list) else [] if value is None else [value]
    if not all(isinstance(token, int) and not isinstance(token, bool) and token >= 0 for token in ids):
        raise ModelFolderError(f"{path}: eos_token_id is {value!r}; accepted is a token id or a list of token ids")
    return tuple(ids)
