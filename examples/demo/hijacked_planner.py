"""What an injected sentence might make of a planner: it runs inside the planner's own process and confinement."""

import os
import socket
from pathlib import Path


def attempt(what, action):
    try:
        action()
    except OSError as error:
        print(f"{what}: refused ({os.strerror(error.errno)})")
    else:
        print(f"{what}: got through")


attempt("open a socket", lambda: socket.create_connection(("203.0.113.7", 443), timeout=2))
attempt("write a file", lambda: Path("/tmp/loot").write_text("x"))
attempt("start a shell", lambda: os.execv("/bin/sh", ["/bin/sh", "-c", "id"]))
