"""Commands whose arguments are a small language of their own, which no table of options can say.

Each handler takes the command's use and its raw words; one that returns ``None`` leaves the rest to the model.  Models
name handlers by the keys of ``HANDLERS``.
"""

from __future__ import annotations

from interlock.analyst.shell import (
    connections,
    guards,
    interpreters,
    machine,
    remotes,
    searches,
    stores,
    texts,
    transfers,
    wrappers,
)
from interlock.analyst.shell.use import Handler

HANDLERS: dict[str, Handler] = {
    **connections.HANDLERS,
    **guards.HANDLERS,
    **interpreters.HANDLERS,
    **machine.HANDLERS,
    **remotes.HANDLERS,
    **searches.HANDLERS,
    **stores.HANDLERS,
    **texts.HANDLERS,
    **transfers.HANDLERS,
    **wrappers.HANDLERS,
}
