"""What a person may say about a plan. Every field is a flag of `tradewind plan`, with this metadata as its help."""

from dataclasses import dataclass, field

from serving.plan.errors import PlanError

WHAT, WHERE, TARGET, HOW = "What", "Where", "Target", "How"

PRECISIONS = ("bfloat16", "int8", "fp8")


def _option(default, panel: str, metavar: str | None, description: str, **typer_option):
    metadata = {"panel": panel, "description": description, **typer_option}
    return field(default=default, metadata=metadata | ({"metavar": metavar} if metavar else {}))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """The options of a plan. Raises PlanError for values that cannot be read or do not go together."""

    model: str = _option("", WHAT, "FOLDER_OR_SHAPE", "Folder with a config.json, or a shape that --list has.")
    weights: str = _option("bfloat16", WHAT, "TYPE", f"Type that kernels are held in: {', '.join(PRECISIONS)}.")
    streams: int = _option(16, WHAT, "N", "Requests that run at once.", min=1)
    context: int = _option(8192, WHAT, "N", "Tokens of prompt and reply together, of every stream.", min=2)
    prompt: int = _option(512, WHAT, "N", "Tokens of the prompt whose time to first token is told.", min=1)

    topology: str = _option(
        "", WHERE, "CHIP:SHAPE", "Such as v6e:2x4 or h100:8; empty looks among all that --list has."
    )
    mesh: str = _option(
        "", WHERE, "AXIS=N,...", "As the engine takes it, data=N for so many engines; empty takes what it would take."
    )
    sharding_rules: str = _option("", WHERE, "FILE", "TOML file of lines that replace sharding rules.")
    step_tokens: int = _option(512, WHERE, "N", "Prompt tokens that one step reads beside the rows that decode.", min=1)
    page_size: int = _option(0, WHERE, "N", "Tokens in one page of the KV cache; 0 takes what an engine would.", min=0)

    tokens_per_second: float | None = _option(None, TARGET, "N", "Of each stream, at least.", min=0)
    ttft: float | None = _option(None, TARGET, "MS", "Time to first token, at most.", min=0)
    efficiency: float = _option(1.0, TARGET, "SHARE", "Of the roofline that is counted on.", min=0.01, max=1)
    prices: str = _option("", TARGET, "CHIP=N,...", "US dollars for an hour of a chip, in place of list prices.")

    estimate: bool = _option(False, HOW, None, "Do not ask the TPU compiler, where there is one; estimate, in seconds.")
    json: bool = _option(False, HOW, None, "Print JSON instead of tables.")
    list: bool = _option(False, HOW, None, "Show the chips, topologies and shapes that are known.")

    def __post_init__(self) -> None:
        if not self.model and not self.list:
            raise PlanError(
                "--model is missing: a folder with a config.json, or a shape that `tradewind plan --list` has"
            )
        if self.weights not in PRECISIONS:
            raise PlanError(f"--weights {self.weights}: accepted are {', '.join(PRECISIONS)}")
        if self.mesh and not self.topology:
            raise PlanError("--mesh is of one topology; name it with --topology")
        if self.prompt >= self.context:
            raise PlanError(
                f"--prompt {self.prompt:,} leaves no room for a reply within --context {self.context:,}; accepted are "
                f"prompts up to {self.context - 1:,}"
            )
        self.chip_prices()

    def chip_prices(self) -> dict[str, float]:
        """The prices that were given, by chip."""
        from sharding.chips import CHIPS

        found = {}
        for part in filter(None, self.prices.split(",")):
            chip, _, price = (piece.strip() for piece in part.partition("="))
            try:
                found[chip] = float(price)
            except ValueError:
                found[chip] = -1.0
            if chip not in CHIPS or not 0 <= found[chip] < float("inf"):
                raise PlanError(
                    f"--prices {self.prices}: {part.strip()!r} is no chip and its price; accepted are "
                    f"{', '.join(f'{name}=N' for name in CHIPS)}, joined by commas"
                )
        return found
