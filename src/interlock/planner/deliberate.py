"""The strategies ``model`` and ``intent``: a bounded conversation between a language model and the harness.

``model`` ends with the first plan that is not denied; ``intent`` proposes one step at a time and goes on with
what each returned.  Every loop is bounded: by ``MAX_TURNS`` completions in all, by ``repair_rounds`` for
consecutive turns that came to nothing, and by the harness's own budgets, whose refusals close a kind of move.
"""

from __future__ import annotations

from typing import assert_never

from interlock.artifact import codec
from interlock.artifact.channel_pb2 import Begin, Judgement, Message, Reply
from interlock.artifact.errors import CodecError
from interlock.artifact.plan import Proposal
from interlock.artifact.task import Task
from interlock.planner import moves, prompt
from interlock.planner.moves import Inquire, Load, Look, Move, Put, Say
from interlock.planner.port import Port, RefusedError

MAX_TURNS = 48
MAX_TOKENS = 4096
FEW_GROUPS = 4


def deliberate(port: Port, begin: Begin, *, single: bool) -> None:
    """Think, and hand in what comes of it; where nothing does, answer with the reason."""
    talk = Conversation(port, begin, single=single)
    try:
        talk.survey()
        talk.converse()
    except RefusedError as refusal:
        talk.give_up(refusal.code)


class Conversation:
    """One phase of planning: the messages so far, what was loaded, and which moves are still open."""

    def __init__(self, port: Port, begin: Begin, *, single: bool) -> None:
        self._port = port
        self._begin = begin
        self._single = single
        self._task = codec.digest(codec.decode(begin.task, Task))
        self._messages = prompt.opening(begin, codec.decode(begin.task, Task), single=single)
        self._open = set(moves.ALL)
        self._failures = 0
        self._done = False

    def survey(self) -> None:
        """Learn the names of the groups, and their actions at once where the groups are few."""
        names = list(self._port.load_actions([]).groups)
        if 0 < len(names) <= FEW_GROUPS:
            self._load(names)
            self._open.discard("load")
        else:
            self._tell(f"Groups of actions that can be loaded: {', '.join(names) or 'none'}")

    def converse(self) -> None:
        """Take turns until the work is handed in or a bound is reached."""
        for _ in range(MAX_TURNS):
            self._turn()
            if self._done or self._failures > self._begin.repair_rounds:
                break
        if not self._done:
            self.give_up("planner.repairs_spent" if self._failures else "planner.turns_spent")

    def give_up(self, code: str) -> None:
        """Say that no plan came of it; a refusal of even that ends in silence."""
        try:
            self._port.answer(f"No plan was made: {code}.")
        except RefusedError:
            return

    def _turn(self) -> None:
        schema = moves.schema(self._begin.proposal_schema, self._open)
        text = self._port.complete(self._messages, schema, MAX_TOKENS)
        self._messages.append(Message(role=Message.ASSISTANT, text=text))
        try:
            self._act(moves.read(text))
        except CodecError as error:
            self._fail(f"That was not a move: {error.code} {error.message}")

    def _act(self, move: Move) -> None:
        kind = move.__struct_config__.tag
        if kind not in self._open:
            self._fail(f"The move {kind} is not open.")
            return
        try:
            self._dispatch(move)
        except RefusedError as refusal:
            if refusal.spent:
                self._open.discard(str(kind))
            self._fail(f"The move {kind} was refused: {refusal.code}")

    def _dispatch(self, move: Move) -> None:
        match move:
            case Load(groups=groups):
                self._load(list(groups))
            case Look(action=action, arguments=arguments):
                found = self._port.observe(action, codec.encode(arguments))
                self._tell("\n".join(map(prompt.result, found.results)))
            case Inquire(question=question):
                self._revise(self._port.ask(question))
            case Put():
                self._judged(self._port.propose(codec.encode(self._proposal(move))))
            case Say(text=text):
                self._port.answer(prompt.visible(text))
                self._done = True
            case _:
                assert_never(move)

    def _proposal(self, move: Put) -> Proposal:
        fields = {**move.proposal, "task": self._task, "parent": self._begin.parent or None}
        proposal = codec.convert(fields, Proposal)
        if self._single and len(proposal.steps) > 1:
            raise CodecError("planner.one_step", "exactly one step at a time")
        return proposal

    def _judged(self, judgement: Judgement) -> None:
        """Denied: repair. Ran: go on with what it returned. Pending: the harness goes on without this process."""
        if judgement.decision == "DENY":
            self._fail(prompt.judgement(judgement))
        elif self._single and judgement.results:
            self._tell(prompt.judgement(judgement))
        else:
            self._done = True

    def _load(self, groups: list[str]) -> None:
        self._tell(prompt.actions(self._port.load_actions(groups).manifests))

    def _revise(self, reply: Reply) -> None:
        revised = codec.decode(reply.task, Task)
        self._task = codec.digest(revised)
        self._tell(f"The person answered:\n{reply.text}")

    def _tell(self, text: str) -> None:
        self._failures = 0
        self._messages.append(prompt.user(text))

    def _fail(self, text: str) -> None:
        self._failures += 1
        self._messages.append(prompt.user(text))
