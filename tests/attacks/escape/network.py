"""Attempts to reach anything by a network or a socket."""

from __future__ import annotations

from attacks.escape.attempt import Attempt, any_user, not_shown, root_only

NETWORK: dict[str, Attempt] = {
    "connect to the host's loopback": any_user('connects(socket.AF_INET, ("127.0.0.1", T["tcp"]))'),
    "send a datagram to the host": any_user("""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            return end.sendto(b"x", ("127.0.0.1", T["udp"]))
    """),
    "connect to a public address": any_user("""
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as end:
            end.setblocking(False)
            return end.connect_ex(("192.0.2.1", 443)) in {errno.EINPROGRESS, errno.ENETUNREACH, errno.EHOSTUNREACH}
    """),
    "listen to everyone": any_user("""
        with socket.socket() as end:
            end.bind(("0.0.0.0", 0))
            end.listen()
            return True
    """),
    "open an IPv6 socket": any_user("socket.socket(socket.AF_INET6, socket.SOCK_STREAM)"),
    "resolve a name": any_user('socket.getaddrinfo("localhost", T["tcp"]) and connects(2, ("127.0.0.1", T["tcp"]))'),
    "connect to a unix path": any_user('connects(socket.AF_UNIX, T["unix"])'),
    "connect to an abstract name": any_user('connects(socket.AF_UNIX, "\\0" + T["abstract"])'),
    "send a unix datagram": any_user("""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            return end.sendto(b"x", T["unix_datagram"])
    """),
    "send by a datagram pair to another name": any_user("""
        one, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        return one.sendto(b"x", T["unix_datagram"])
    """),
    "bind a unix name": any_user("""
        with socket.socket(socket.AF_UNIX) as end:
            return end.bind("\\0planted-" + T["abstract"]) is None
    """),
    "open a netlink route socket": any_user("socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)"),
    "open a netlink audit socket": any_user("socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 9)"),
    "open a netlink event socket": any_user("socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 15)"),
    "open a vsock": not_shown('call("socket", 40, 1, 0) >= 0', because="not every kernel has vsock"),
    "open a packet socket": root_only("socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3)"),
    "open a raw socket": root_only("socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)"),
    "open a ping socket": not_shown(
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 1)", because="ping_group_range may exclude everybody"
    ),
    "open a crypto socket": not_shown('call("socket", 38, 5, 0) >= 0', because="not every kernel has AF_ALG"),
    "open a bluetooth socket": not_shown('call("socket", 31, 3, 1) >= 0', because="no bluetooth here"),
    "open a CAN socket": not_shown('call("socket", 29, 3, 1) >= 0', because="no CAN here"),
    "open an XDP socket": not_shown('call("socket", 44, 3, 0) >= 0', because="not every kernel has AF_XDP"),
    "smuggle a descriptor out by the channel": any_user("""
        end = socket.socket(fileno=os.dup(3))
        return socket.send_fds(end, [b"x"], [0])
    """),
    "take a descriptor in by the channel": any_user("""
        end = socket.socket(fileno=os.dup(3))
        end.setblocking(False)
        try:
            socket.recv_fds(end, 1, 1)
        except BlockingIOError:
            pass
        return True
    """),
    "write to somebody else's channel": any_user("""
        for number in range(4, 2000):
            try:
                if stat.S_ISSOCK(os.fstat(number).st_mode):
                    return os.write(number, b"x")
            except OSError:
                continue
    """),
    "find a descriptor that was left open": any_user("""
        found = []
        for number in range(4, 2000):
            try:
                mode = os.fstat(number).st_mode
            except OSError:
                continue
            if stat.S_ISREG(mode) or stat.S_ISSOCK(mode):
                found.append(number)
        return found
    """),
    "reach the network by io_uring": any_user('call("io_uring_setup", 4, buffer(b"", 120)) >= 0'),
}
