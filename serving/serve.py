"""`tradewind serve`: a gateway and its engine, from the first progress line to the last reply."""

import contextlib
import socket
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from rich.console import Console

from serving.api.app import create_app
from serving.fleet.launcher import FixedAddress, Launcher, LocalLauncher, engine_command
from serving.fleet.replica import Replica
from serving.fleet.supervisor import Supervisor
from serving.models.folder import find_model
from serving.orchestrator.served_model import ServedModel
from serving.settings import ServerSettings, Settings, SettingsError
from serving.startup_display import StartupDisplay

EMBEDDED_NAME = "tradewind"


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
    server = uvicorn.Server(_uvicorn_config(create_app(settings, supervisor, model), settings.server))
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


def public_name(model: str) -> str:
    """How clients call a model: a hub id as it is, a folder by its own name."""
    if not model:
        return EMBEDDED_NAME
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
