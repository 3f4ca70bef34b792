"""Which attention backend an engine takes."""

from serving.engine.attention.backend import AttentionBackend, Demand
from serving.engine.attention.reference import ReferenceAttention
from serving.engine.options import Attention


def choose(name: Attention, platform: str, demand: Demand) -> tuple[AttentionBackend, list[str]]:
    """The backend of this name, and sentences about what it leaves to the reference.

    `auto` is the platform's own, or the reference where that cannot serve the demand. Raises ValueError with what is
    accepted where the one that is named cannot.

    Args:
        platform: of the devices, as JAX calls it.
    """
    wanted = platform if name == "auto" and platform in ("tpu", "gpu") else name
    if wanted in ("auto", "reference"):
        return ReferenceAttention(), []
    if wanted != platform:
        accepted = " and ".join(["auto", "reference", *({platform} & {"tpu", "gpu"})])
        raise ValueError(f"attention {name} needs a {name.upper()}; on {platform} devices accepted are {accepted}")
    backend = _of_platform(wanted)
    if problem := backend.problem(demand):
        if name == "auto":
            return ReferenceAttention(), [f"attention takes the reference's way instead of the {wanted}'s: {problem}"]
        raise ValueError(f"attention {name}: {problem}")
    return backend, backend.remarks(demand.config)


def usual_page_size(platform: str) -> int:
    """Tokens of a page where nobody says: few, so that prompts share what they can; more on a TPU, whose kernel copies
    page by page and reads their table from scarce memory."""
    return 128 if platform == "tpu" else 16


def _of_platform(platform: str) -> AttentionBackend:
    """Imports no other platform's kernels, which take a second that a laptop's start need not pay."""
    if platform == "tpu":
        from serving.engine.attention.tpu import TPUAttention

        return TPUAttention()
    from serving.engine.attention.gpu import GPUAttention

    return GPUAttention()
