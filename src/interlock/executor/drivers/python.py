"""The driver ``python``: one function of a user's package, called once with the arguments and a small context.

The package is imported here and nowhere else, in a process that is locked down already and ends after this
step.  ``operation`` is ``module:function``; the module is the manifest's package or lies in it.  The function
is called as ``function(arguments, context)``, with every path as it was decided on (absolute), and returns a
value of JSON without floats.

    def create(arguments, context):
        url = context.endpoint("api.example.com")
        ...
        return {"id": "42"}
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

from interlock.artifact.action import Effect, Endpoint, Role
from interlock.artifact.codec import Json
from interlock.artifact.errors import InterlockError
from interlock.executor.work import DriverError, Work

_SCHEMES = {"plain": "http", "tls": "http", "opaque": "https"}
_MAX_TEXT = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a user's function is given besides its arguments; ``deadline`` in ``time.monotonic`` seconds."""

    secrets: Mapping[str, str] = field(repr=False)
    deadline: float
    key: str
    endpoints: tuple[Endpoint, ...]

    def endpoint(self, host: str) -> str:
        """``http://host:port`` of a granted end point, where the proxy listens (it adds TLS and credentials)."""
        for endpoint in self.endpoints:
            if endpoint.host == host:
                return f"{_SCHEMES[endpoint.mode]}://{endpoint.host}:{endpoint.port}"
        raise DriverError("python.endpoint", "a host that the manifest does not name")


def run(work: Work) -> Json:
    """Import and call the function; raises ``DriverError``."""
    driver = work.manifest.driver
    context = Context(secrets=work.secrets, deadline=work.deadline, key=work.key, endpoints=driver.endpoints)
    work.progress.started = work.manifest.effect is not Effect.READ
    try:
        function = _function(driver.package, driver.operation)
        return function({name: _decided(work, name, value) for name, value in work.arguments.items()}, context)
    except InterlockError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - it is the user's code, and may raise anything
        text: Json = {"error": type(error).__name__, "text": str(error)[:_MAX_TEXT]}
        raise DriverError("python.raised", f"the function raised {type(error).__name__}", output=text) from None


def _decided(work: Work, name: str, value: Json) -> Json:
    """An argument as the gate saw it: a path is absolute and without dot segments."""
    declared = work.manifest.arguments.get(name)
    if declared is None or declared.role is not Role.PATH:
        return value
    if isinstance(value, list):
        return [_decided(work, name, item) for item in value]
    return work.places.canonical(value) if isinstance(value, str) else value


def _function(package: str, operation: str) -> Callable[[Mapping[str, Json], Context], Json]:
    module, _, name = operation.partition(":")
    if not package or not (module == package or module.startswith(f"{package}.")) or not name or name.startswith("_"):
        raise DriverError("driver.operation", "the operation is no function of the manifest's package")
    found: object = getattr(importlib.import_module(module), name, None)
    if not callable(found):
        raise DriverError("driver.operation", "the package has no such function")
    return cast("Callable[[Mapping[str, Json], Context], Json]", found)
