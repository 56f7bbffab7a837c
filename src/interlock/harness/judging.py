"""Judging: a plan becomes an inquiry to a second model, and its answer evidence (gate step 7, tier 2).

``Judge`` asks through a gateway of its own, with its own key, one bounded call at a time; an answer is remembered for
the same inquiry, a fault never.  Whatever keeps it from an answer is an opinion with a fault, which the gate raises:
no error of a provider comes out of here.  Every call is an entry of the ledger before its opinion is used.
Must never: be asked inside a transaction, or say anything to a planner.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Final

from interlock.artifact import codec
from interlock.artifact.action import Effect, Reversibility
from interlock.artifact.channel_pb2 import Generated
from interlock.artifact.errors import ConfigurationError, InterlockError, StateError
from interlock.artifact.label import Confidentiality, Integrity
from interlock.artifact.opinion import ArgumentFacts, EffectFacts, Fault, Inquiry, Opinion, StepFacts
from interlock.artifact.resources import canonical_host
from interlock.artifact.task import Task
from interlock.harness.core import Core
from interlock.harness.inquiring import SCHEMA, answered, messages
from interlock.harness.models import Gateway
from interlock.harness.supervisor import Supervisor
from interlock.harness.workspace import JudgeModel

ANSWER_TOKENS: Final = 4096
STEP_TOKENS: Final = 64
_MOST_USED: Final = 1 << 31
_TENANT: Final = "tenant"
_NO_ANSWER: Final = frozenset({"gateway.refused", "gateway.truncated", "gateway.empty", "gateway.reply"})
_UNKNOWN_USE: Final = frozenset({"gateway.timeout", "gateway.lost"})


class Judge:
    """The judge of one workspace; thread-safe, one call at a time."""

    def __init__(self, core: Core, model: JudgeModel, supervisor: Supervisor) -> None:
        self._core = core
        self._model = model
        self._gateway = Gateway(core, supervisor, model)
        self._lock = threading.Lock()

    def shutdown(self) -> None:
        """End its gateway."""
        self._gateway.shutdown()

    def opinion(self, task: Task, inquiry: Inquiry) -> Opinion:
        """What it says about the steps of a task, remembered or asked for now."""
        with self._lock:
            known = self._core.opinions.known(codec.digest(inquiry), self._model.identity)
            return known if known is not None else self.fresh(self._on_record(task), self._tenant(task), inquiry)

    def fresh(self, task_id: str, tenant: str, inquiry: Inquiry) -> Opinion:
        """The same, asked for in any case; remembered unless it is a fault."""
        core, now = self._core, self._core.clock()
        canary, marker = secrets.token_hex(16), secrets.token_hex(16)
        said = messages(inquiry, canary=canary, marker=marker)
        most = ANSWER_TOKENS + STEP_TOKENS * len(inquiry.steps)
        taken = most + sum(len(message.text.encode()) for message in said) // 2
        if not core.opinions.charge(now, tenant, taken, self._model.tokens_per_day):
            return self._opinion(inquiry, "judge.budget")
        try:
            found = self._gateway.ask(said, SCHEMA, most)
        except (InterlockError, OSError) as error:
            found = Generated(code=error.code if isinstance(error, InterlockError) else "gateway.lost")
        used = min(int(found.input_tokens + found.output_tokens), _MOST_USED)
        if used or found.code not in {"", *_UNKNOWN_USE}:  # What nobody counted stays taken.
            core.opinions.settle(now, tenant, used - taken)
        opinion = self._read(found, inquiry, canary)
        self._record(task_id, inquiry, opinion, found, used)
        if not opinion.fault:
            core.opinions.keep(opinion)
        return opinion

    def _read(self, found: Generated, inquiry: Inquiry, canary: str) -> Opinion:
        if found.code == "gateway.timeout":
            return self._opinion(inquiry, "judge.timeout")
        if found.code:
            return self._opinion(inquiry, "judge.malformed" if found.code in _NO_ANSWER else "judge.outage")
        read = answered(found.text, inquiry, canary)
        if isinstance(read, str):
            return self._opinion(inquiry, read)
        plan, steps = read
        return Opinion(about=codec.digest(inquiry), judge=self._model.identity, plan=plan, steps=steps)

    def _opinion(self, inquiry: Inquiry, fault: Fault) -> Opinion:
        return Opinion(about=codec.digest(inquiry), judge=self._model.identity, fault=fault)

    def _record(self, task_id: str, inquiry: Inquiry, opinion: Opinion, found: Generated, used: int) -> None:
        payload = {"inquiry": inquiry, "opinion": opinion, "response": found.response_digest, "tokens": used}
        code = opinion.fault or f"judge.{opinion.plan.value}"
        subject = found.request_digest or opinion.about
        self._core.record("completion", task_id, subject, codec.encode(payload), code=code)

    def _on_record(self, task: Task) -> str:
        """The task's id; nothing where it was only made up to look at a plan."""
        with suppress(StateError):
            return self._core.store.task(task.id).task.id
        return ""

    def _tenant(self, task: Task) -> str:
        """Whose day it is: the tenant's that the task names, or the workspace's."""
        named = task.scope.get(_TENANT) if _TENANT in self._core.workspace.configuration.scope else None
        return f"{_TENANT}={named}" if named else "workspace"


def keep_apart(core: Core) -> None:
    """Raise ``ConfigurationError`` where the judge is the planner's model, or has the planner's key."""
    planner, judge = core.workspace.configuration.model, core.workspace.configuration.judge
    if judge is None:
        return
    same = planner.name.strip().casefold() == judge.name.strip().casefold()
    if planner.base_url and same and _provider(planner.base_url) == _provider(judge.base_url):
        raise ConfigurationError(
            "judge.same_model", "the judge is the planner's model at the same provider",
            hint="name another model in [judge], at best of another provider",
        )  # fmt: skip
    names = {planner.key_secret, judge.key_secret} - {""}
    keys = [key for key in (_key(core, name) for name in names) if key]
    alike = len(keys) > 1 and hmac.compare_digest(*keys)
    if judge.key_secret and (judge.key_secret == planner.key_secret or alike):
        raise ConfigurationError(
            "judge.same_key", "the judge has the planner's key",
            hint="get a key of its own for [judge] and store it: interlock secrets set NAME",
        )  # fmt: skip


def _provider(url: str) -> str:
    """Host and port; the text itself where it is no URL, which the gateway refuses later."""
    try:
        return canonical_host(url)
    except InterlockError:
        return url


def _key(core: Core, name: str) -> bytes:
    with suppress(StateError):  # Missing, or marked for rotation: nobody can use it.
        return core.vault.release(name)
    return b""


@contextmanager
def apart(core: Core, *, unsafe_reduced: bool = False) -> Generator[Judge | None]:
    """The workspace's judge with a supervisor of its own; ``None`` where there is none.

    Raises ``ConfigurationError`` as ``keep_apart`` does.
    """
    model = core.workspace.configuration.judge
    if model is None:
        yield None
        return
    keep_apart(core)
    with Supervisor(lambda _: None, unsafe_reduced=unsafe_reduced) as supervisor:
        judge = Judge(core, model, supervisor)
        yield judge
        judge.shutdown()


def trial(core: Core, *, unsafe_reduced: bool = False) -> Opinion | None:
    """Ask the judge about a harmless plan, now; ``None`` where there is no judge."""
    path = ArgumentFacts(
        value="notes.txt", known=True, confidentiality=Confidentiality.PUBLIC, integrity=Integrity.TRUSTED
    )
    reads = EffectFacts(
        effect=Effect.READ, on="file:notes.txt", open=False, reversibility=Reversibility.PURE, external=False,
        claimed=False,
    )  # fmt: skip
    step = StepFacts(
        id="s1", action="files.read@1", sentence="Read the file {path}", effect=Effect.READ, effects=(reads,),
        reversibility=Reversibility.PURE, destinations=(), arguments={"path": path},
    )  # fmt: skip
    with apart(core, unsafe_reduced=unsafe_reduced) as judge:
        asked = Inquiry(goal="Read the file notes.txt", values=(), steps=(step,))
        return judge.fresh("", "workspace", asked) if judge is not None else None
