"""The attacker's end of a channel: a function that stands where a planner's or an executor's code would."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from interlock.artifact.errors import ChannelError
from interlock.harness.supervisor import Child, Supervisor

if TYPE_CHECKING:
    from interlock.harness.sandbox.profiles import JailSpec, Role

Attack = Callable[[socket.socket], None]


class HostileChild:
    """What a session or an execution sees of a child whose code is ``attack``."""

    def __init__(self, attack: Attack) -> None:
        self.channel, theirs = socket.socketpair()
        self.violations = ()
        self._thread = threading.Thread(target=self._run, args=(attack, theirs))
        self._thread.start()

    def _run(self, attack: Attack, theirs: socket.socket) -> None:
        with theirs:
            try:
                attack(theirs)
            except (OSError, ChannelError):
                return  # The harness hung up on it.

    def close(self) -> None:
        self.channel.close()
        self._thread.join(10)
        assert not self._thread.is_alive()


class HostileSupervisor:
    """Starts attackers in one role, and real children in all others."""

    def __init__(self, real: Supervisor, role: str, attack: Attack) -> None:
        self._real = real
        self._role = role
        self._attack = attack

    def start(self, role: Role, spec: JailSpec | None = None, *, pipes: bool = False) -> Child:
        if role == self._role:
            return cast("Child", HostileChild(self._attack))
        return self._real.start(role, spec, pipes=pipes)

    def close(self) -> None:
        self._real.close()
