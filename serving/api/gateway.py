"""What the endpoints of one app share, and how they get at it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from prometheus_client import CollectorRegistry

from serving.api.errors import ModelNotFound
from serving.fleet.replica import Replica
from serving.orchestrator.generation import Orchestrator
from serving.orchestrator.served_model import ServedModel


@dataclass(frozen=True, slots=True)
class Gateway:
    """One app's parts. `clock` gives seconds since the epoch, for `created`."""

    model: ServedModel
    replica: Replica
    orchestrator: Orchestrator
    registry: CollectorRegistry
    clock: Callable[[], float]
    started: int  # when the app was made, in seconds since the epoch

    def check_model(self, asked: str | None) -> None:
        """Raise ModelNotFound unless `asked` is the served model; nothing means that one."""
        if asked is not None and asked != self.model.name:
            raise ModelNotFound(asked, self.model.name)


def _gateway_of(request: Request) -> Gateway:
    return request.app.state.gateway


SharedGateway = Annotated[Gateway, Depends(_gateway_of)]
