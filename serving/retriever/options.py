"""What a person may choose about the retriever: plain values, no pydantic, as `serving.engine.options`."""

from dataclasses import dataclass, fields

from retrieval.options import RetrievalOptions
from serving.process.options import flags_of, option


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrieverOptions(RetrievalOptions):
    """The retriever's options. Every value here also is a setting `retriever.NAME` and a flag `--NAME`."""

    database_url: str = option(
        "", "Database of documents, postgresql://USER:PASSWORD@HOST/NAME; empty keeps them in a file under data_dir."
    )

    def flags(self) -> list[str]:
        """The options as flags of `tradewind retriever`, but for the database, whose password is nobody's business."""
        shown = {choice.name: getattr(self, choice.name) for choice in fields(RetrievalOptions)}
        return flags_of(RetrievalOptions(**shown))
