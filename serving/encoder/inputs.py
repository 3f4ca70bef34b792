"""From what a request holds to the ids that the encoder reads, and what is said of inputs that it cannot read."""

from serving.encoder.request import EmbedRequest, EncoderDescription, InputTooLong, TokenIds
from serving.models.encoder_tokenizer import EncodedText, EncoderTokenizer


def read_inputs(request: EmbedRequest, tokenizer: EncoderTokenizer, description: EncoderDescription) -> list[TokenIds]:
    """The ids of each input, 1 to max_tokens of them.

    Raises InputTooLong, or ValueError for no input, an empty one or an id beyond the vocabulary.
    """
    if not request.inputs:
        raise ValueError("input is empty; at least one text is needed")
    texts = iter(tokenizer.encode([given for given in request.inputs if isinstance(given, str)]))
    encoded = [
        next(texts) if isinstance(given, str) else EncodedText(given[: tokenizer.max_tokens], len(given))
        for given in request.inputs
    ]
    for place, text in enumerate(encoded):
        if not text.ids:
            raise ValueError(f"input[{place}] has no token; at least one is needed")
        if max(text.ids) >= description.vocab_size:
            raise ValueError(
                f"input[{place}] holds the token id {max(text.ids)}; accepted are 0 to {description.vocab_size - 1}"
            )
        if text.length > len(text.ids) and not request.truncate:
            raise InputTooLong(
                f"input[{place}] has {text.length} tokens; this encoder's maximum is {tokenizer.max_tokens}"
            )
    return [text.ids for text in encoded]
