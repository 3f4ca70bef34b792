"""GET /tokenizer_info, POST /tokenize and /detokenize."""

from fastapi import APIRouter

from serving.api.answer import ERRORS
from serving.api.gateway import SharedGateway
from serving.api.json_body import JsonRoute
from serving.api.wire.tokens import Detokenized, DetokenizeRequest, Tokenized, TokenizeRequest, TokenizerInfo
from serving.orchestrator.prompt import ChatFormat, chat_prompt, check_token_ids, encode

router = APIRouter(tags=["Tokens"], responses=ERRORS, route_class=JsonRoute)


@router.get("/tokenizer_info", summary="Describe the tokenizer")
async def tokenizer_info(gateway: SharedGateway) -> TokenizerInfo:
    """What a client needs to render chats itself."""
    tokenizer, template = gateway.model.tokenizer, gateway.model.template
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "vocab_size": tokenizer.vocab_size,
        "bos_token": tokenizer.bos_token,
        "eos_token": tokenizer.eos_token,
        "chat_template": template.source if template else None,
    }


@router.post("/tokenize", summary="Text or messages to token ids")
async def tokenize(body: TokenizeRequest, gateway: SharedGateway) -> Tokenized:
    """The ids that a completion of `prompt`, or a chat of `messages`, would begin with."""
    gateway.check_model(body.model)
    model, context = gateway.model, gateway.orchestrator.require_engine().max_context
    if body.messages is not None:
        chat = ChatFormat(
            add_generation_prompt=body.add_generation_prompt is not False and not body.continue_final_message,
            continue_final_message=bool(body.continue_final_message),
            add_special_tokens=bool(body.add_special_tokens),
            variables=body.chat_template_kwargs,
        )
        messages = [message.for_template() for message in body.messages]
        ids = list((await chat_prompt(model, messages, chat, context=context)).tokens)
    else:
        ids = await encode(model, body.prompt or "", add_special_tokens=body.add_special_tokens is not False)
    return {
        "count": len(ids),
        "max_model_len": context,
        "tokens": ids,
        "token_strs": [model.tokenizer.token_text(token) for token in ids] if body.return_token_strs else None,
    }


@router.post("/detokenize", summary="Token ids to text")
async def detokenize(body: DetokenizeRequest, gateway: SharedGateway) -> Detokenized:
    """The text of ids, special tokens included."""
    gateway.check_model(body.model)
    tokenizer = gateway.model.tokenizer
    check_token_ids(body.tokens, tokenizer.vocab_size, field="tokens")
    return {"prompt": tokenizer.decode(body.tokens, skip_special_tokens=False)}
