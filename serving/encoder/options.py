"""What a person may choose about the encoder: plain values, no JAX, no pydantic, as `serving.engine.options`."""

from dataclasses import dataclass

from serving.process.options import flags_of, option


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderOptions:
    """The encoder's options. Every value here also is a setting `encoder.NAME` and a flag `--encoder-NAME`."""

    model: str = option("", "Folder or hub id of a text encoder; empty takes all-MiniLM-L6-v2, which comes along.")
    max_tokens: int = option(
        512, "Tokens of the longest text, where the model's own limit is not lower.", ge=8, le=2**16
    )
    batch_tokens: int = option(
        0, "Tokens that are computed at once at most; 0 lets the encoder choose by platform.", ge=0, le=2**20
    )
    compile_threads: int = option(1, "Programs compiled side by side at start.", ge=1, le=64)
    compilation_cache_dir: str = option(
        "", "Folder of programs compiled earlier, which makes the next start faster; empty keeps none."
    )

    def flags(self) -> list[str]:
        """The options as flags of `tradewind encoder`, each one spelled out."""
        return flags_of(self, prefix="encoder-")
