"""A dry run of the hot path in a warm process, so that its pages are its own before the order comes.

After a fork both sides share every page until one writes; in Python even reading writes.  Doing once, in
advance and to no effect, what the order will ask for takes these faults out of a warm child's start.
"""

from __future__ import annotations

import contextlib
import os
import resource
import socket

import msgspec

from interlock.harness.sandbox import jail, probes, raw
from interlock.harness.sandbox.profiles import Bequest, HostGrant, JailSpec, Locked, PathGrant, Profile
from interlock.harness.sandbox.syscall_rules import program

_SPEC = JailSpec(paths=(PathGrant(path="/x"),), hosts=(HostGrant(host="x", port=1),))
_REFUSED_PROGRAM = bytes(8)


def messages() -> None:
    """Send a message with a descriptor to oneself, and take it again."""
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with one, other:
        socket.send_fds(one, [msgspec.msgpack.encode(Bequest(spec=_SPEC))], [one.fileno()])
        body, found, _, _ = socket.recv_fds(other, 1 << 16, 8, socket.MSG_CMSG_CLOEXEC)
        for descriptor in found:
            os.close(descriptor)
    msgspec.msgpack.decode(body, type=Bequest)


def rehearse(profile: Profile, missing: tuple[str, ...]) -> None:
    """Walk through a child's lock-down with arguments that change nothing."""
    messages()
    msgspec.msgpack.encode(Locked(canaries=1))
    for bound in (resource.RLIMIT_CORE, resource.RLIMIT_AS):
        resource.setrlimit(bound, resource.getrlimit(bound))
    jail.take_outputs([], outputs=False)
    raw.prctl(3)
    with contextlib.suppress(OSError):
        raw.seccomp_install(
            program(profile, _SPEC, notify=True) + _REFUSED_PROGRAM, listen="notification" not in missing
        )
    with contextlib.suppress(OSError):
        raw.attach(-1, "/x")
    for probe in probes.DIRECT.get(profile.role, ()):
        if probe.syscall == "openat" and not int(probe.arguments[2]) & os.O_CREAT:
            probes.refused(probe)
