from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Begin(_message.Message):
    __slots__ = ("phase", "task", "strategy", "handed_plan", "groups", "attachments", "results", "proposal_schema", "repair_rounds", "parent", "finished")
    class Phase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        PLAN: _ClassVar[Begin.Phase]
        ANSWER: _ClassVar[Begin.Phase]
    PLAN: Begin.Phase
    ANSWER: Begin.Phase
    PHASE_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    HANDED_PLAN_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    ATTACHMENTS_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    PROPOSAL_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    REPAIR_ROUNDS_FIELD_NUMBER: _ClassVar[int]
    PARENT_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    phase: Begin.Phase
    task: bytes
    strategy: str
    handed_plan: bytes
    groups: _containers.RepeatedScalarFieldContainer[str]
    attachments: _containers.RepeatedCompositeFieldContainer[Attachment]
    results: _containers.RepeatedCompositeFieldContainer[Result]
    proposal_schema: bytes
    repair_rounds: int
    parent: str
    finished: bytes
    def __init__(self, phase: _Optional[_Union[Begin.Phase, str]] = ..., task: _Optional[bytes] = ..., strategy: _Optional[str] = ..., handed_plan: _Optional[bytes] = ..., groups: _Optional[_Iterable[str]] = ..., attachments: _Optional[_Iterable[_Union[Attachment, _Mapping]]] = ..., results: _Optional[_Iterable[_Union[Result, _Mapping]]] = ..., proposal_schema: _Optional[bytes] = ..., repair_rounds: _Optional[int] = ..., parent: _Optional[str] = ..., finished: _Optional[bytes] = ...) -> None: ...

class Attachment(_message.Message):
    __slots__ = ("name", "text")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    name: str
    text: bytes
    def __init__(self, name: _Optional[str] = ..., text: _Optional[bytes] = ...) -> None: ...

class PlannerCall(_message.Message):
    __slots__ = ("complete", "load_actions", "observe", "ask", "propose", "answer")
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    LOAD_ACTIONS_FIELD_NUMBER: _ClassVar[int]
    OBSERVE_FIELD_NUMBER: _ClassVar[int]
    ASK_FIELD_NUMBER: _ClassVar[int]
    PROPOSE_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    complete: Complete
    load_actions: LoadActions
    observe: Observe
    ask: Ask
    propose: Propose
    answer: Answer
    def __init__(self, complete: _Optional[_Union[Complete, _Mapping]] = ..., load_actions: _Optional[_Union[LoadActions, _Mapping]] = ..., observe: _Optional[_Union[Observe, _Mapping]] = ..., ask: _Optional[_Union[Ask, _Mapping]] = ..., propose: _Optional[_Union[Propose, _Mapping]] = ..., answer: _Optional[_Union[Answer, _Mapping]] = ...) -> None: ...

class PlannerReturn(_message.Message):
    __slots__ = ("completion", "actions", "results", "reply", "judgement", "accepted", "refusal")
    COMPLETION_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    REPLY_FIELD_NUMBER: _ClassVar[int]
    JUDGEMENT_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    completion: Completion
    actions: Actions
    results: Results
    reply: Reply
    judgement: Judgement
    accepted: Accepted
    refusal: Refusal
    def __init__(self, completion: _Optional[_Union[Completion, _Mapping]] = ..., actions: _Optional[_Union[Actions, _Mapping]] = ..., results: _Optional[_Union[Results, _Mapping]] = ..., reply: _Optional[_Union[Reply, _Mapping]] = ..., judgement: _Optional[_Union[Judgement, _Mapping]] = ..., accepted: _Optional[_Union[Accepted, _Mapping]] = ..., refusal: _Optional[_Union[Refusal, _Mapping]] = ...) -> None: ...

class Message(_message.Message):
    __slots__ = ("role", "text")
    class Role(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        SYSTEM: _ClassVar[Message.Role]
        USER: _ClassVar[Message.Role]
        ASSISTANT: _ClassVar[Message.Role]
    SYSTEM: Message.Role
    USER: Message.Role
    ASSISTANT: Message.Role
    ROLE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    role: Message.Role
    text: str
    def __init__(self, role: _Optional[_Union[Message.Role, str]] = ..., text: _Optional[str] = ...) -> None: ...

class Complete(_message.Message):
    __slots__ = ("messages", "schema", "max_tokens")
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[Message]
    schema: bytes
    max_tokens: int
    def __init__(self, messages: _Optional[_Iterable[_Union[Message, _Mapping]]] = ..., schema: _Optional[bytes] = ..., max_tokens: _Optional[int] = ...) -> None: ...

class Completion(_message.Message):
    __slots__ = ("text", "input_tokens", "output_tokens")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    text: str
    input_tokens: int
    output_tokens: int
    def __init__(self, text: _Optional[str] = ..., input_tokens: _Optional[int] = ..., output_tokens: _Optional[int] = ...) -> None: ...

class LoadActions(_message.Message):
    __slots__ = ("groups",)
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    groups: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, groups: _Optional[_Iterable[str]] = ...) -> None: ...

class Actions(_message.Message):
    __slots__ = ("groups", "manifests")
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    MANIFESTS_FIELD_NUMBER: _ClassVar[int]
    groups: _containers.RepeatedScalarFieldContainer[str]
    manifests: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, groups: _Optional[_Iterable[str]] = ..., manifests: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Observe(_message.Message):
    __slots__ = ("action", "arguments")
    ACTION_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    action: str
    arguments: bytes
    def __init__(self, action: _Optional[str] = ..., arguments: _Optional[bytes] = ...) -> None: ...

class Ask(_message.Message):
    __slots__ = ("question",)
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    question: str
    def __init__(self, question: _Optional[str] = ...) -> None: ...

class Reply(_message.Message):
    __slots__ = ("text", "task")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    text: str
    task: bytes
    def __init__(self, text: _Optional[str] = ..., task: _Optional[bytes] = ...) -> None: ...

class Propose(_message.Message):
    __slots__ = ("proposal",)
    PROPOSAL_FIELD_NUMBER: _ClassVar[int]
    proposal: bytes
    def __init__(self, proposal: _Optional[bytes] = ...) -> None: ...

class Judgement(_message.Message):
    __slots__ = ("decision", "findings", "plan", "results", "state")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    decision: str
    findings: _containers.RepeatedCompositeFieldContainer[Finding]
    plan: str
    results: _containers.RepeatedCompositeFieldContainer[Result]
    state: str
    def __init__(self, decision: _Optional[str] = ..., findings: _Optional[_Iterable[_Union[Finding, _Mapping]]] = ..., plan: _Optional[str] = ..., results: _Optional[_Iterable[_Union[Result, _Mapping]]] = ..., state: _Optional[str] = ...) -> None: ...

class Finding(_message.Message):
    __slots__ = ("code", "step", "field")
    CODE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    code: str
    step: str
    field: str
    def __init__(self, code: _Optional[str] = ..., step: _Optional[str] = ..., field: _Optional[str] = ...) -> None: ...

class Results(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[Result]
    def __init__(self, results: _Optional[_Iterable[_Union[Result, _Mapping]]] = ...) -> None: ...

class Result(_message.Message):
    __slots__ = ("step", "iteration", "outcome", "label", "output")
    STEP_FIELD_NUMBER: _ClassVar[int]
    ITERATION_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    step: str
    iteration: int
    outcome: str
    label: bytes
    output: bytes
    def __init__(self, step: _Optional[str] = ..., iteration: _Optional[int] = ..., outcome: _Optional[str] = ..., label: _Optional[bytes] = ..., output: _Optional[bytes] = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class Accepted(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Refusal(_message.Message):
    __slots__ = ("code", "message")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class StartExecution(_message.Message):
    __slots__ = ("plan", "grant", "keyring", "grant_key", "now")
    PLAN_FIELD_NUMBER: _ClassVar[int]
    GRANT_FIELD_NUMBER: _ClassVar[int]
    KEYRING_FIELD_NUMBER: _ClassVar[int]
    GRANT_KEY_FIELD_NUMBER: _ClassVar[int]
    NOW_FIELD_NUMBER: _ClassVar[int]
    plan: bytes
    grant: bytes
    keyring: bytes
    grant_key: bytes
    now: int
    def __init__(self, plan: _Optional[bytes] = ..., grant: _Optional[bytes] = ..., keyring: _Optional[bytes] = ..., grant_key: _Optional[bytes] = ..., now: _Optional[int] = ...) -> None: ...

class ExecutorCall(_message.Message):
    __slots__ = ("next", "finish")
    NEXT_FIELD_NUMBER: _ClassVar[int]
    FINISH_FIELD_NUMBER: _ClassVar[int]
    next: Next
    finish: Finish
    def __init__(self, next: _Optional[_Union[Next, _Mapping]] = ..., finish: _Optional[_Union[Finish, _Mapping]] = ...) -> None: ...

class ExecutorReturn(_message.Message):
    __slots__ = ("outcome", "accepted")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    outcome: StepOutcome
    accepted: Accepted
    def __init__(self, outcome: _Optional[_Union[StepOutcome, _Mapping]] = ..., accepted: _Optional[_Union[Accepted, _Mapping]] = ...) -> None: ...

class Next(_message.Message):
    __slots__ = ("step", "iteration")
    STEP_FIELD_NUMBER: _ClassVar[int]
    ITERATION_FIELD_NUMBER: _ClassVar[int]
    step: str
    iteration: int
    def __init__(self, step: _Optional[str] = ..., iteration: _Optional[int] = ...) -> None: ...

class StepOutcome(_message.Message):
    __slots__ = ("status", "iterations")
    class Status(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STOP: _ClassVar[StepOutcome.Status]
        DONE: _ClassVar[StepOutcome.Status]
        SKIPPED: _ClassVar[StepOutcome.Status]
    STOP: StepOutcome.Status
    DONE: StepOutcome.Status
    SKIPPED: StepOutcome.Status
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ITERATIONS_FIELD_NUMBER: _ClassVar[int]
    status: StepOutcome.Status
    iterations: int
    def __init__(self, status: _Optional[_Union[StepOutcome.Status, str]] = ..., iterations: _Optional[int] = ...) -> None: ...

class Finish(_message.Message):
    __slots__ = ("complete", "code")
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    complete: bool
    code: str
    def __init__(self, complete: _Optional[bool] = ..., code: _Optional[str] = ...) -> None: ...

class RunStep(_message.Message):
    __slots__ = ("mode", "plan", "grant", "keyring", "grant_key", "step", "iteration", "manifest", "arguments", "secrets", "now", "snapshot", "home", "programs")
    class Mode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ACT: _ClassVar[RunStep.Mode]
        READ: _ClassVar[RunStep.Mode]
        SNAPSHOT: _ClassVar[RunStep.Mode]
        RESTORE: _ClassVar[RunStep.Mode]
    ACT: RunStep.Mode
    READ: RunStep.Mode
    SNAPSHOT: RunStep.Mode
    RESTORE: RunStep.Mode
    class SecretsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    class ProgramsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    MODE_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    GRANT_FIELD_NUMBER: _ClassVar[int]
    KEYRING_FIELD_NUMBER: _ClassVar[int]
    GRANT_KEY_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    ITERATION_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    SECRETS_FIELD_NUMBER: _ClassVar[int]
    NOW_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    HOME_FIELD_NUMBER: _ClassVar[int]
    PROGRAMS_FIELD_NUMBER: _ClassVar[int]
    mode: RunStep.Mode
    plan: bytes
    grant: bytes
    keyring: bytes
    grant_key: bytes
    step: str
    iteration: int
    manifest: bytes
    arguments: bytes
    secrets: _containers.ScalarMap[str, bytes]
    now: int
    snapshot: bytes
    home: str
    programs: _containers.ScalarMap[str, str]
    def __init__(self, mode: _Optional[_Union[RunStep.Mode, str]] = ..., plan: _Optional[bytes] = ..., grant: _Optional[bytes] = ..., keyring: _Optional[bytes] = ..., grant_key: _Optional[bytes] = ..., step: _Optional[str] = ..., iteration: _Optional[int] = ..., manifest: _Optional[bytes] = ..., arguments: _Optional[bytes] = ..., secrets: _Optional[_Mapping[str, bytes]] = ..., now: _Optional[int] = ..., snapshot: _Optional[bytes] = ..., home: _Optional[str] = ..., programs: _Optional[_Mapping[str, str]] = ...) -> None: ...

class StepCall(_message.Message):
    __slots__ = ("blob", "want_blob", "ran")
    BLOB_FIELD_NUMBER: _ClassVar[int]
    WANT_BLOB_FIELD_NUMBER: _ClassVar[int]
    RAN_FIELD_NUMBER: _ClassVar[int]
    blob: Blob
    want_blob: WantBlob
    ran: Ran
    def __init__(self, blob: _Optional[_Union[Blob, _Mapping]] = ..., want_blob: _Optional[_Union[WantBlob, _Mapping]] = ..., ran: _Optional[_Union[Ran, _Mapping]] = ...) -> None: ...

class StepReturn(_message.Message):
    __slots__ = ("accepted", "blob")
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    BLOB_FIELD_NUMBER: _ClassVar[int]
    accepted: Accepted
    blob: Blob
    def __init__(self, accepted: _Optional[_Union[Accepted, _Mapping]] = ..., blob: _Optional[_Union[Blob, _Mapping]] = ...) -> None: ...

class Blob(_message.Message):
    __slots__ = ("digest", "part", "last", "data")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    digest: str
    part: int
    last: bool
    data: bytes
    def __init__(self, digest: _Optional[str] = ..., part: _Optional[int] = ..., last: _Optional[bool] = ..., data: _Optional[bytes] = ...) -> None: ...

class WantBlob(_message.Message):
    __slots__ = ("digest", "part")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    digest: str
    part: int
    def __init__(self, digest: _Optional[str] = ..., part: _Optional[int] = ...) -> None: ...

class Ran(_message.Message):
    __slots__ = ("ok", "code", "message", "output", "effect_possible")
    OK_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    EFFECT_POSSIBLE_FIELD_NUMBER: _ClassVar[int]
    ok: bool
    code: str
    message: str
    output: bytes
    effect_possible: bool
    def __init__(self, ok: _Optional[bool] = ..., code: _Optional[str] = ..., message: _Optional[str] = ..., output: _Optional[bytes] = ..., effect_possible: _Optional[bool] = ...) -> None: ...

class AnalystCall(_message.Message):
    __slots__ = ("question", "part")
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    question: bytes
    part: ModelPart
    def __init__(self, question: _Optional[bytes] = ..., part: _Optional[_Union[ModelPart, _Mapping]] = ...) -> None: ...

class ModelPart(_message.Message):
    __slots__ = ("file", "data", "last")
    FILE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    file: str
    data: bytes
    last: bool
    def __init__(self, file: _Optional[str] = ..., data: _Optional[bytes] = ..., last: _Optional[bool] = ...) -> None: ...

class AnalystReturn(_message.Message):
    __slots__ = ("analysis", "taken")
    ANALYSIS_FIELD_NUMBER: _ClassVar[int]
    TAKEN_FIELD_NUMBER: _ClassVar[int]
    analysis: bytes
    taken: bool
    def __init__(self, analysis: _Optional[bytes] = ..., taken: _Optional[bool] = ...) -> None: ...

class GatewayStart(_message.Message):
    __slots__ = ("dialect", "base_url", "model", "api_key", "timeout_ms", "attempts", "allow_private", "ca_bundle")
    DIALECT_FIELD_NUMBER: _ClassVar[int]
    BASE_URL_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    API_KEY_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    ALLOW_PRIVATE_FIELD_NUMBER: _ClassVar[int]
    CA_BUNDLE_FIELD_NUMBER: _ClassVar[int]
    dialect: str
    base_url: str
    model: str
    api_key: bytes
    timeout_ms: int
    attempts: int
    allow_private: bool
    ca_bundle: bytes
    def __init__(self, dialect: _Optional[str] = ..., base_url: _Optional[str] = ..., model: _Optional[str] = ..., api_key: _Optional[bytes] = ..., timeout_ms: _Optional[int] = ..., attempts: _Optional[int] = ..., allow_private: _Optional[bool] = ..., ca_bundle: _Optional[bytes] = ...) -> None: ...

class Generate(_message.Message):
    __slots__ = ("messages", "schema", "max_tokens")
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[Message]
    schema: bytes
    max_tokens: int
    def __init__(self, messages: _Optional[_Iterable[_Union[Message, _Mapping]]] = ..., schema: _Optional[bytes] = ..., max_tokens: _Optional[int] = ...) -> None: ...

class Generated(_message.Message):
    __slots__ = ("text", "input_tokens", "output_tokens", "request_digest", "response_digest", "code", "message")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_DIGEST_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    text: str
    input_tokens: int
    output_tokens: int
    request_digest: str
    response_digest: str
    code: str
    message: str
    def __init__(self, text: _Optional[str] = ..., input_tokens: _Optional[int] = ..., output_tokens: _Optional[int] = ..., request_digest: _Optional[str] = ..., response_digest: _Optional[str] = ..., code: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class ProxyCall(_message.Message):
    __slots__ = ("open", "close")
    OPEN_FIELD_NUMBER: _ClassVar[int]
    CLOSE_FIELD_NUMBER: _ClassVar[int]
    open: ProxyOpen
    close: ProxyClose
    def __init__(self, open: _Optional[_Union[ProxyOpen, _Mapping]] = ..., close: _Optional[_Union[ProxyClose, _Mapping]] = ...) -> None: ...

class ProxyOpen(_message.Message):
    __slots__ = ("lease", "endpoint", "inject", "exceptions", "max_bytes", "model_hosts", "ca_bundle")
    class InjectEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    LEASE_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    INJECT_FIELD_NUMBER: _ClassVar[int]
    EXCEPTIONS_FIELD_NUMBER: _ClassVar[int]
    MAX_BYTES_FIELD_NUMBER: _ClassVar[int]
    MODEL_HOSTS_FIELD_NUMBER: _ClassVar[int]
    CA_BUNDLE_FIELD_NUMBER: _ClassVar[int]
    lease: str
    endpoint: bytes
    inject: _containers.ScalarMap[str, bytes]
    exceptions: _containers.RepeatedScalarFieldContainer[str]
    max_bytes: int
    model_hosts: _containers.RepeatedScalarFieldContainer[str]
    ca_bundle: bytes
    def __init__(self, lease: _Optional[str] = ..., endpoint: _Optional[bytes] = ..., inject: _Optional[_Mapping[str, bytes]] = ..., exceptions: _Optional[_Iterable[str]] = ..., max_bytes: _Optional[int] = ..., model_hosts: _Optional[_Iterable[str]] = ..., ca_bundle: _Optional[bytes] = ...) -> None: ...

class ProxyClose(_message.Message):
    __slots__ = ("lease",)
    LEASE_FIELD_NUMBER: _ClassVar[int]
    lease: str
    def __init__(self, lease: _Optional[str] = ...) -> None: ...

class ProxyEvent(_message.Message):
    __slots__ = ("lease", "allowed", "code", "method", "path", "sent", "received", "status", "violation", "request")
    LEASE_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    SENT_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    VIOLATION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    lease: str
    allowed: bool
    code: str
    method: str
    path: str
    sent: int
    received: int
    status: int
    violation: bool
    request: int
    def __init__(self, lease: _Optional[str] = ..., allowed: _Optional[bool] = ..., code: _Optional[str] = ..., method: _Optional[str] = ..., path: _Optional[str] = ..., sent: _Optional[int] = ..., received: _Optional[int] = ..., status: _Optional[int] = ..., violation: _Optional[bool] = ..., request: _Optional[int] = ...) -> None: ...

class Notify(_message.Message):
    __slots__ = ("id", "kind", "target", "argv", "body", "timeout_ms", "allow_private", "secret", "ca_bundle", "attempts")
    ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    ARGV_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    ALLOW_PRIVATE_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    CA_BUNDLE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    id: str
    kind: str
    target: str
    argv: _containers.RepeatedScalarFieldContainer[str]
    body: bytes
    timeout_ms: int
    allow_private: bool
    secret: bytes
    ca_bundle: bytes
    attempts: int
    def __init__(self, id: _Optional[str] = ..., kind: _Optional[str] = ..., target: _Optional[str] = ..., argv: _Optional[_Iterable[str]] = ..., body: _Optional[bytes] = ..., timeout_ms: _Optional[int] = ..., allow_private: _Optional[bool] = ..., secret: _Optional[bytes] = ..., ca_bundle: _Optional[bytes] = ..., attempts: _Optional[int] = ...) -> None: ...

class Notified(_message.Message):
    __slots__ = ("id", "ok", "code")
    ID_FIELD_NUMBER: _ClassVar[int]
    OK_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    id: str
    ok: bool
    code: str
    def __init__(self, id: _Optional[str] = ..., ok: _Optional[bool] = ..., code: _Optional[str] = ...) -> None: ...
