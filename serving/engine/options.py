"""What a person may choose about an engine: plain values, no JAX, no pydantic."""

from dataclasses import dataclass
from typing import Literal

from serving.process.options import flags_of, option

Quantise = Literal["none", "int8", "fp8"]
DType = Literal["auto", "float32", "bfloat16", "float16"]
Attention = Literal["auto", "reference", "tpu", "gpu"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """The engine's options. Every value here also is a setting `engine.NAME` and a flag `--NAME`."""

    max_rows: int = option(64, "Sequences decoded at once; more wait their turn.", ge=1, le=4096)
    max_context: int = option(0, "Tokens of prompt and reply together; 0 takes the model's own limit.", ge=0)
    page_size: int = option(
        0, "Tokens in one page of the KV cache; 0 lets the engine choose by platform.", ge=0, le=1024
    )
    pages: int = option(0, "Pages in the KV cache; 0 fills kv_memory.", ge=0)
    kv_memory: float = option(
        0.0,
        "Memory for the KV cache when pages is 0: up to 1 a fraction of the device's free memory, above 1 bytes; "
        "0 lets the engine choose by platform.",
        ge=0,
    )
    step_tokens: int = option(
        0,
        "Prompt tokens that one step computes beside the rows that decode; 0 lets the engine choose by platform. "
        "Fewer keep the others' tokens coming evenly, more bring first tokens sooner.",
        ge=0,
    )
    decode_steps: int = option(
        4, "Decode steps in one dispatch at most, while nobody waits for a row and steps are quick.", ge=1, le=64
    )
    mesh: str = option(
        "",
        "How many devices share the model along which axis, such as tensor=4,pipeline=2; empty cuts it among all "
        "devices that there are as far as its heads allow.",
    )
    sharding_rules: str = option(
        "", "TOML file of lines that say otherwise which axis of the mesh cuts what, such as vocab = []."
    )
    micro_batches: int = option(
        0, "Parts of a step that follow each other through a pipeline's stages; 0 takes the number of least time.", ge=0
    )
    dtype: DType = option("auto", "Type of weights and KV cache; auto picks what the platform is fast at.")
    quantise: Quantise = option(
        "none",
        "Keep the weights of linear layers in eight bits, quantised while they are loaded; none keeps them as stored.",
    )
    attention: Attention = option(
        "auto",
        "What attends over pages: a library's kernels for TPUs or GPUs, or the reference, which runs everywhere; "
        "auto takes the platform's, or the reference where that does not know the model.",
    )
    prefix_cache: bool = option(True, "Keep the pages of earlier prompts and replies for requests that begin alike.")
    compile_threads: int = option(2, "Step programs compiled side by side at start.", ge=1, le=64)
    compilation_cache_dir: str = option(
        "", "Folder of programs compiled earlier, which makes the next start faster; empty keeps none."
    )

    def flags(self) -> list[str]:
        """The options as flags of `tradewind engine`, each one spelled out."""
        return flags_of(self)
