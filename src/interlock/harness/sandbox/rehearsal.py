"""A dry run of the hot path in a warm process, so that its pages are its own before the order comes.

After a fork both sides share every page until one writes; in Python even reading writes.  Doing once, in
advance and to no effect, what the order will ask for takes these faults out of a warm child's start.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from pathlib import Path

import msgspec

from interlock.artifact import frames
from interlock.harness.sandbox import jail, probes, raw
from interlock.harness.sandbox.profiles import Bequest, HostGrant, JailSpec, Locked, PathGrant, Profile
from interlock.harness.sandbox.syscall_rules import program

_SPEC = JailSpec(paths=(PathGrant(path="/x"),), hosts=(HostGrant(host="x", port=1),))
_REFUSED = bytes(8)


def messages() -> None:
    """Send a message with a descriptor to oneself, and take it again."""
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with one, other:
        socket.send_fds(one, [msgspec.msgpack.encode(Bequest(spec=_SPEC))], [one.fileno()])
        body, found = frames.receive_rights(other, 1 << 16, 8)
        for descriptor in found:
            os.close(descriptor)
    msgspec.msgpack.decode(body, type=Bequest)


def rehearse(profile: Profile, missing: tuple[str, ...], abi: int) -> None:
    """Walk through a child's lock-down with arguments that change nothing."""
    bare = JailSpec()
    for _ in range(2):
        messages()
        msgspec.msgpack.encode(Locked(canaries=1))
        jail.attach_grants(JailSpec(), (), jail.take_outputs([], outputs=False))
        raw.call("capget", struct.pack("Ii", 0x2008_0522, 0), bytes(24))
        jail.add_grants(profile, bare, (), abi)
        for impossible in (
            lambda: raw.seccomp_install(
                program(profile, bare, notify=True) + _REFUSED, listen="notification" not in missing
            ),
            lambda: raw.landlock_restrict(-1),
            lambda: raw.attach(-1, "/x"),
        ):
            with contextlib.suppress(OSError):
                impossible()
        for probe in probes.DIRECT.get(profile.role, ()):
            if (opened := raw.attempt(probe.syscall, *probe.arguments)) >= 0:
                os.close(opened)
        Path("/canary").unlink(missing_ok=True)
