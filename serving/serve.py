"""`tradewind serve`: a gateway and its engine, from the first progress line to the last reply."""

import asyncio
import contextlib
import logging
import socket
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from rich.console import Console

from serving.api.app import create_app
from serving.fleet.encoder_replica import EncoderReplica
from serving.fleet.launcher import (
    FixedAddress,
    Launcher,
    LocalLauncher,
    encoder_command,
    engine_command,
    retriever_command,
)
from serving.fleet.replica import Replica, ReplicaState
from serving.fleet.retriever_replica import RetrieverReplica
from serving.fleet.supervisor import Supervisor
from serving.models.encoder_folder import DEFAULT_NAME, EncoderNotInstalled, find_encoder
from serving.models.folder import find_model
from serving.orchestrator.served_model import ServedModel
from serving.settings import ServerSettings, Settings, SettingsError
from serving.startup_display import StartupDisplay

log = logging.getLogger(__name__)

EMBEDDED_NAME = "tradewind"
DATABASE_VARIABLE = "TRADEWIND_RETRIEVER__DATABASE_URL"


def serve(settings: Settings, console: Console) -> bool:
    """Serve until told to stop; True when it ended as it was told.

    Raises SettingsError for an address that cannot be had, and ModelFolderError.
    """
    folder = find_model(settings.model)
    model = ServedModel.from_folder(settings.model_name or public_name(settings.model), folder)
    listener = listen(settings.server)
    display = StartupDisplay(console, address(listener))
    replica = Replica("engine", on_change=lambda replica: None if server.should_exit else display.show(replica))
    supervisor = Supervisor(replica, launcher(settings, folder))
    encoder = encoder_supervisor(settings, after=replica.settled)
    retriever = retriever_supervisor(settings, encoder)
    app = create_app(settings, supervisor, model, encoder=encoder, retriever=retriever)
    server = uvicorn.Server(_uvicorn_config(app, settings.server))
    try:
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn ends everything, then raises the signal again
            server.run(sockets=[listener])
    finally:
        display.close()
    console.print("Stopped.")
    return server.started


def _uvicorn_config(app: FastAPI, settings: ServerSettings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="on",
        ws="none",
        log_config=None,
        access_log=settings.access_log,
        server_header=False,
        timeout_graceful_shutdown=settings.shutdown_grace,
    )


def launcher(settings: Settings, folder: Path) -> Launcher:
    """Who starts the engine: nobody, when the settings say where one runs."""
    if settings.server.engine_address:
        return FixedAddress(settings.server.engine_address)
    return LocalLauncher(engine_command(folder, settings.engine))


def encoder_supervisor(settings: Settings, after: asyncio.Event) -> Supervisor | None:
    """Who keeps the encoder; None where texts are not to be turned into vectors, or the default encoder is missing.

    An encoder on this machine starts `after` an engine on this machine has done so, that chats may begin the sooner.
    Raises ModelFolderError for an encoder that cannot be served.
    """
    if not settings.server.embeddings:
        return None
    replica = EncoderReplica(public_name(settings.encoder.model, DEFAULT_NAME), on_change=_log_ready_encoder)
    if settings.server.encoder_address:
        return Supervisor(replica, FixedAddress(settings.server.encoder_address))
    try:
        find_encoder(settings.encoder.model)
    except EncoderNotInstalled as error:
        log.warning("no embeddings: %s", error)
        return None
    local = LocalLauncher(encoder_command(settings.encoder), kind=replica.kind)
    return Supervisor(replica, local, after=None if settings.server.engine_address else after)


def retriever_supervisor(settings: Settings, encoder: Supervisor | None) -> Supervisor | None:
    """Who keeps the retriever; None where no documents are to be kept, or there is no encoder to find them by.

    A retriever on this machine starts after the encoder has done so, which it needs.
    """
    if not settings.server.retrieval:
        return None
    replica = RetrieverReplica("retriever", on_change=_log_ready_retriever)
    if settings.server.retriever_address:
        return Supervisor(replica, FixedAddress(settings.server.retriever_address))
    if encoder is None:
        log.info("no retrieval: it needs an encoder")
        return None
    command = retriever_command(settings.data_dir, encoder.target, settings.encoder.model, settings.retriever)
    secret = {DATABASE_VARIABLE: settings.retriever.database_url}
    local = LocalLauncher(command, kind=replica.kind, environment=secret)
    return Supervisor(replica, local, after=encoder.replica.settled)


def _log_ready_retriever(replica: RetrieverReplica) -> None:
    if replica.state is ReplicaState.READY:
        log.info("retrieval by %s", replica.description.encoder)


def _log_ready_encoder(replica: EncoderReplica) -> None:
    if replica.state is ReplicaState.READY:
        of = replica.description
        log.info("embeddings by %s: %d dimensions, texts of %d tokens", replica.name, of.dimensions, of.max_tokens)


def public_name(model: str, default: str = EMBEDDED_NAME) -> str:
    """How clients call a model: a hub id as it is, a folder by its own name, `default` where nothing is named."""
    if not model:
        return default
    return (
        model if model.count("/") == 1 and not model.startswith((".", "/", "~")) else model.rstrip("/").split("/")[-1]
    )


def listen(server: ServerSettings) -> socket.socket:
    """A socket that listens at the address in `server`. Raises SettingsError where it cannot be had."""
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    try:
        return socket.create_server((server.host, server.port), family=family, backlog=2048)
    except OSError as error:
        reason = error.strerror.partition(" (")[0]  # without the address, which comes first here
        raise SettingsError(
            f"cannot listen at {server.host}:{server.port}: {reason}. "
            "Choose another address with --host and --port (--port 0 takes a free one)"
        ) from None


def address(listener: socket.socket) -> str:
    """Where a browser on this machine finds `listener`."""
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # listens everywhere; noqa: S104
        host = "localhost"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
