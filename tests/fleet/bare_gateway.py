"""A gateway with nothing but a fleet of one: prints its engine's process id once ready, and waits to be killed."""

import asyncio
import sys
from pathlib import Path

from serving.fleet.launcher import LocalLauncher
from serving.fleet.replica import Replica, ReplicaState
from serving.fleet.supervisor import Supervisor


class AnnouncingLauncher(LocalLauncher):
    """Knows the process id of the engine that it started."""

    async def start(self):
        self.engine = await super().start()
        return self.engine


async def main() -> None:
    echo = str(Path(__file__).with_name("echo_engine.py"))
    launcher = AnnouncingLauncher(lambda listen: (sys.executable, echo, "--listen", listen, "--exit-with-parent"))

    def announce(replica: Replica) -> None:
        if replica.state is ReplicaState.READY:
            print(launcher.engine.pid, flush=True)

    Supervisor(Replica("r0", on_change=announce), launcher).start()
    await asyncio.get_running_loop().create_future()


asyncio.run(main())
