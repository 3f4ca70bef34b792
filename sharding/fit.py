"""Whether a model fits a mesh, in whole numbers: what is cut, what is repeated, what is refused and why."""

import dataclasses
import math
from dataclasses import dataclass

from serving.models.config import DecoderConfig
from sharding.mesh import MeshSpec, ShardingError
from sharding.rules import Rules

BFLOAT16_BYTES = 2

KEPT_WHOLE_BY = {
    "embed": "the rule embed = []",
    "heads": "the rules heads = [] and kv_heads = []",
    "mlp": "the rule mlp = []",
}
"""For what may stay whole while a mesh cuts the rest."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How a model lies on a mesh.

    Attributes:
        config: the model as the devices run it; its kv_heads count repeats.
        rules: as they apply; an axis that cannot be cut but may stay whole has lost its mesh axes.
        kv_repeats: how often each key/value head is held, so that every device has those that its query heads read.
        notes: sentences about what was repeated, kept whole or narrowed, with the arithmetic.
    """

    config: DecoderConfig
    rules: Rules
    kv_repeats: int = 1
    notes: tuple[str, ...] = ()


def fit(config: DecoderConfig, mesh: MeshSpec, rules: Rules) -> Fit:
    """Lays a model out on a mesh. Raises ShardingError, with the arithmetic, where that cannot work."""
    if mesh.data > 1:
        raise ShardingError(
            f"mesh {mesh}: data={mesh.data} are {mesh.data} engines of {mesh.replica.devices} devices each; "
            f"the mesh of one of them is {mesh.replica}"
        )
    _refuse_impossible_rules(mesh, rules)
    fitted = _repeat_kv_heads(_keep_odd_vocabulary_whole(Fit(config, rules), mesh), mesh)
    sizes = _sizes(fitted.config)
    _refuse_idle_axes(mesh, fitted.rules, sizes)
    for axis, (name, size) in sizes.items():
        parts = fitted.rules.parts(axis, mesh)
        if size % parts:
            whole = f", or {KEPT_WHOLE_BY[axis]}, which keeps it whole on every device" if axis in KEPT_WHOLE_BY else ""
            raise ShardingError(
                f"mesh {mesh}: {name} is {size}, which {_cut(axis, rules, mesh)} does not divide: {size} = {parts} x "
                f"{size // parts} + {size % parts}; accepted are {_divisors(size)}{whole}"
            )
    _refuse_unlike_stages(fitted, mesh)
    return fitted


def stage_of(config: DecoderConfig, stages: int, stage: int = 0) -> DecoderConfig:
    """The decoder that one of `stages` pipeline stages of equal length is."""
    length = config.layers // stages
    own = slice(stage * length, (stage + 1) * length)
    return dataclasses.replace(config, layers=length, windows=config.windows[own], ropes=config.ropes[own])


def widest(config: DecoderConfig, devices: int, rules: Rules) -> tuple[MeshSpec, tuple[str, ...]]:
    """The mesh that cuts a model among the most of `devices` devices, all tensor-parallel, and why not among more.

    Only meshes that divide the devices are tried, so that what is left over can hold replicas.
    """
    refusals: list[str] = []
    for tensor in (size for size in range(devices, 0, -1) if devices % size == 0):
        mesh = MeshSpec(tensor=tensor)
        try:
            fit(config, mesh, rules)
        except ShardingError as error:
            refusals.append(str(error))
        else:
            return mesh, tuple(f"{tensor} of {devices} devices are used; {refusal}" for refusal in refusals[:1])
    raise ShardingError("there is no device to lay a model out on")


def _sizes(config: DecoderConfig) -> dict[str, tuple[str, int]]:
    """What a model has along each logical axis, under config.json's name."""
    experts = config.experts
    sizes = {
        "embed": ("hidden_size", config.hidden_size),
        "heads": ("num_attention_heads", config.heads),
        "kv_heads": ("num_key_value_heads", config.kv_heads),
        "mlp": ("an expert's intermediate_size", experts.mlp_size)
        if experts
        else ("intermediate_size", config.mlp_size),
        "vocab": ("vocab_size", config.vocab_size),
        "layers": ("num_hidden_layers", config.layers),
    }
    return sizes | ({"experts": ("num_experts", experts.count)} if experts else {})


def _refuse_impossible_rules(mesh: MeshSpec, rules: Rules) -> None:
    """Each device attends alone, with its query heads, over all pages of the kv heads that they read."""
    heads, kv_heads = (_cut(axis, rules, mesh) for axis in ("heads", "kv_heads"))
    if heads != kv_heads:
        raise ShardingError(
            f"mesh {mesh}: the rules cut heads along {heads or 'nothing'}, but kv_heads along {kv_heads or 'nothing'}; "
            "query heads and the key and value heads that they read lie on one device, so both rules must be alike"
        )
    if rules.table["layers"] not in ((), ("pipeline",)):
        raise ShardingError(
            f"mesh {mesh}: the rules cut layers along {' and '.join(rules.table['layers'])}; accepted are "
            'layers = ["pipeline"] and layers = [], for only along that axis do devices take turns'
        )
    for axis, why in (("pages", "any sequence may read any page"), ("rows", "replicas divide sequences among them")):
        if rules.parts(axis, mesh) > 1:
            raise ShardingError(
                f"mesh {mesh}: the rules cut {axis} along {_cut(axis, rules, mesh)}; accepted is {axis} = [], for {why}"
            )


def _refuse_idle_axes(mesh: MeshSpec, rules: Rules, sizes: dict[str, tuple[str, int]]) -> None:
    """Devices along an axis that cuts nothing would all compute the same."""
    present = [axis for axis in rules.table if axis in sizes]
    for mesh_axis, size in mesh.sizes.items():
        if size > 1 and not any(mesh_axis in rules.table[axis] for axis in present):
            named = [axis for axis, mesh_axes in rules.table.items() if mesh_axis in mesh_axes]
            why = f"this model has no {' and no '.join(named)}" if named else f"no rule cuts anything along {mesh_axis}"
            raise ShardingError(
                f"mesh {mesh}: {why}, so the {size} devices along it would compute the same; "
                f"accepted is {mesh_axis}=1, or a rule that cuts one of {', '.join(present)} along it"
            )


def _refuse_unlike_stages(fitted: Fit, mesh: MeshSpec) -> None:
    """All stages run one program, so the layers of each must see and turn alike."""
    config, stages = fitted.config, fitted.rules.parts("layers", mesh)
    for stage in range(1, stages):
        if stage_of(config, stages, stage) != stage_of(config, stages):
            length = config.layers // stages
            raise ShardingError(
                f"mesh {mesh}: {config.layers} layers make {stages} stages of {length}, but layers "
                f"{stage * length} to {(stage + 1) * length - 1} have other windows or rotations than layers 0 to "
                f"{length - 1}; accepted are numbers of stages that cut the layers between repeats of their pattern"
            )


def _keep_odd_vocabulary_whole(fitted: Fit, mesh: MeshSpec) -> Fit:
    """Fine-tuned models often have a few tokens more than a round number; their embeddings are not cut."""
    config, parts = fitted.config, fitted.rules.parts("vocab", mesh)
    if config.vocab_size % parts == 0:
        return fitted
    tables = 1 if config.tied_embeddings else 2
    size = tables * config.vocab_size * config.hidden_size * BFLOAT16_BYTES
    note = (
        f"vocab_size is {config.vocab_size}, which {_cut('vocab', fitted.rules, mesh)} does not divide, so every "
        f"device holds the embeddings whole: {_bytes(size)} in bfloat16 instead of {_bytes(size / parts)}"
    )
    return dataclasses.replace(fitted, rules=fitted.rules.replace({"vocab": []}), notes=(*fitted.notes, note))


def _repeat_kv_heads(fitted: Fit, mesh: MeshSpec) -> Fit:
    """Holds every kv head as often as it takes to cut them evenly.

    Where g query heads share a kv head and each is held r times, query head h reads held head h // (g / r), a repeat of
    the one that it read before. r divides g wherever the query heads can be cut evenly.
    """
    config, rules = fitted.config, fitted.rules
    parts = rules.parts("kv_heads", mesh)
    repeats = parts // math.gcd(parts, config.kv_heads)
    if repeats == 1 or config.heads % parts:
        return fitted
    held = config.kv_heads * repeats
    cost, least = (_bytes(_cache_bytes(config, kv_heads)) for kv_heads in (held, config.kv_heads))
    note = (
        f"num_key_value_heads is {config.kv_heads}, so {_cut('kv_heads', rules, mesh)} holds each of them {repeats} "
        f"times, {held} in all and {held // parts} a device; in bfloat16 a token of context takes {cost} over all "
        f"devices instead of {least}"
    )
    return dataclasses.replace(
        fitted, config=dataclasses.replace(config, kv_heads=held), kv_repeats=repeats, notes=(*fitted.notes, note)
    )


def _cache_bytes(config: DecoderConfig, kv_heads: int) -> int:
    """Bytes of keys and values that one token has in all layers, in bfloat16."""
    return 2 * config.layers * kv_heads * config.head_dim * BFLOAT16_BYTES


def _cut(axis: str, rules: Rules, mesh: MeshSpec) -> str:
    """A cut as people write it, e.g. `expert=2 x tensor=4`; empty where the axis stays whole."""
    return " x ".join(f"{name}={mesh.sizes[name]}" for name in rules.table[axis] if mesh.sizes[name] > 1)


def _divisors(size: int, most: int = 64) -> str:
    return ", ".join(str(number) for number in range(1, min(size, most) + 1) if size % number == 0)


def _bytes(count: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:.3g} GiB"
