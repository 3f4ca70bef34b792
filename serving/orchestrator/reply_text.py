"""Engine deltas (token ids) become pieces of text, with stop strings applied exactly."""

from dataclasses import dataclass, field

from serving.engine.request import Delta, FinishReason, TokenLogprobs
from serving.models.tokenizer import TextStream, Tokenizer
from serving.orchestrator.stop_strings import StopStrings


@dataclass(frozen=True, slots=True)
class TextOptions:
    """How a reply's tokens become text. Field names are those of vLLM's API."""

    stop: tuple[str, ...] = ()
    include_stop_str_in_output: bool = False
    skip_special_tokens: bool = True
    min_tokens: int = 0  # stop strings that are complete before this many tokens count for nothing
    continuing: bool = False  # the reply goes on in the middle of the prompt's last text


@dataclass(slots=True)
class Piece:
    """What became sure about one choice: text, and the tokens since the last piece.

    Tokens whose text is still held back (half a character, perhaps the beginning of a stop string) come with the piece
    that brings their text or the end.
    """

    index: int = 0  # of the choice
    text: str = ""
    tokens: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)  # where each token's text begins, in characters of the reply
    logprobs: list[TokenLogprobs] = field(default_factory=list)  # one a token when asked for
    prompt_logprobs: tuple[TokenLogprobs | None, ...] = ()  # with the first piece, when asked for
    cached_tokens: int = 0  # prompt tokens found in the prefix cache; with the first piece
    finish_reason: FinishReason | None = None

    def extend(self, later: "Piece") -> None:
        """Take in what came after, of the same choice."""
        self.text += later.text
        self.tokens += later.tokens
        self.offsets += later.offsets
        self.logprobs += later.logprobs
        self.prompt_logprobs = self.prompt_logprobs or later.prompt_logprobs
        self.cached_tokens += later.cached_tokens
        self.finish_reason = later.finish_reason


class ReplyText:
    """Turns one request's deltas into pieces.

    Tokens are taken one at a time, so a stop string ends the reply at the very token that completes it, however many
    tokens one step brought.
    """

    def __init__(self, tokenizer: Tokenizer, options: TextOptions, index: int = 0) -> None:
        self._options = options
        self._stream = TextStream(tokenizer, options.skip_special_tokens, options.continuing)
        self._stops = StopStrings(options.stop, keep=options.include_stop_str_in_output) if options.stop else None
        self._index = index
        self._tokens = 0
        self._characters = 0
        self._next = Piece(index)

    def push(self, delta: Delta) -> Piece | None:
        """The piece that `delta` completes, if any. The piece with a finish reason is the last.

        A finish reason that the delta itself does not carry means that a stop string was found.
        """
        piece = self._next
        if delta.prompt_logprobs:
            piece.prompt_logprobs = delta.prompt_logprobs
        piece.cached_tokens += delta.cached_tokens
        silent = self._silent_position(delta)
        for position, token in enumerate(delta.tokens):
            piece.tokens.append(token)
            piece.offsets.append(self._characters)
            if delta.logprobs:
                piece.logprobs.append(delta.logprobs[position])
            self._tokens += 1
            if position != silent:
                piece.text += self._text_of(token)
            if self._stopped:
                piece.finish_reason = FinishReason.STOP
                return piece
        if delta.finish_reason is not None:
            piece.text += self._rest()
            piece.finish_reason = FinishReason.STOP if self._stopped else delta.finish_reason
            return piece
        if not piece.text:
            return None
        self._next = Piece(self._index)
        return piece

    @property
    def _stopped(self) -> bool:
        return self._stops is not None and self._stops.found is not None

    def _silent_position(self, delta: Delta) -> int | None:
        """Which of the delta's tokens has no text: the one that ended the reply, unless it is to be shown."""
        if delta.stop_token is None or self._options.include_stop_str_in_output:
            return None
        return len(delta.tokens) - 1

    def _text_of(self, token: int) -> str:
        """The text that `token` makes sure of."""
        text = self._stream.push((token,))
        self._characters += len(text)
        if self._stops is None:
            return text
        return self._stops.push(text, armed=self._tokens > self._options.min_tokens)

    def _rest(self) -> str:
        """What was held back, at the end."""
        text = self._stream.flush()
        if self._stops is None:
            return text
        return self._stops.push(text, armed=self._tokens > self._options.min_tokens) + self._stops.flush()
