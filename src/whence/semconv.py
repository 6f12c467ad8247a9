"""Every attribute and metadata key that Whence reads or writes, as data.

Three vocabularies meet here: OpenTelemetry's semantic conventions, MLflow's reserved keys, and the
few of our own (`whence.*`). Tables give *candidates in order*: the first key present wins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# --- Metadata keys (immutable, on the trace; MLflow's names) ---------------------------------
SOURCE_NAME = "mlflow.source.name"
SOURCE_TYPE = "mlflow.source.type"
GIT_COMMIT = "mlflow.source.git.commit"
GIT_BRANCH = "mlflow.source.git.branch"
GIT_REPO_URL = "mlflow.source.git.repoURL"
GIT_DIRTY = "whence.git.dirty"  # "true" or "false"; absent: unknown
GIT_DIRTY_HASH = "whence.git.dirty_hash"  # 40 hex, only where the tree is dirty
MANIFEST = "whence.manifest"  # 64 hex: the digest of the version's manifest
BUILD_TIME = "whence.build.time"  # UTC, RFC 3339: when the image was stamped
SOURCE_RUN = "mlflow.sourceRun"
MODEL_ID = "mlflow.modelId"
MODEL_NAME = "whence.model_name"  # what `set_active_model(name=…)` was given
USER = "mlflow.user"
SESSION = "mlflow.trace.session"
TRACE_USER = "mlflow.trace.user"
TOKEN_USAGE = "mlflow.trace.tokenUsage"  # noqa: S105 - a key, not a secret
COST = "mlflow.trace.cost"
SIZE_BYTES = "mlflow.trace.sizeBytes"
SIZE_STATS = "mlflow.trace.sizeStats"
SCHEMA_VERSION = "mlflow.trace_schema.version"
ENVIRONMENT = "environment"
APP_VERSION = "app_version"
DEPLOYMENT_ID = "deployment_id"
REGION = "region"
TRUNCATED = "whence.truncated"  # comma-separated metadata keys whose values were cut

# --- Limits on metadata ----------------------------------------------------------------------
MAX_KEY_CHARS = 250
MAX_VALUE_CHARS = 8000
MAX_PREVIEW_CHARS = 1000

# --- Tags (mutable) --------------------------------------------------------------------------
TRACE_NAME_TAG = "mlflow.traceName"
LINKED_PROMPTS_TAG = "mlflow.linkedPrompts"  # JSON text: [{"name", "version"}, …]
LINKED_RUNS_TAG = "whence.linkedRuns"  # JSON text: the ids of runs that it was linked to

# --- Span attributes -------------------------------------------------------------------------
# Inputs and outputs: `whence.inputs` and `whence.outputs` always hold JSON text (our SDK).
# `mlflow.spanInputs` and `mlflow.spanOutputs` hold the decoded value itself (an MLflow client).
INPUTS = "whence.inputs"
OUTPUTS = "whence.outputs"
MLFLOW_INPUTS = "mlflow.spanInputs"
MLFLOW_OUTPUTS = "mlflow.spanOutputs"
SPAN_TYPE = "mlflow.spanType"
SPAN_FUNCTION_NAME = "mlflow.spanFunctionName"
SPAN_LOG_LEVEL = "mlflow.spanLogLevel"
SPAN_DESCRIPTION = "mlflow.spanDescription"
CHAT_TOKEN_USAGE = "mlflow.chat.tokenUsage"  # noqa: S105
LLM_MODEL = "mlflow.llm.model"
LLM_PROVIDER = "mlflow.llm.provider"
LLM_COST = "mlflow.llm.cost"
TRACE_REQUEST_ID = "mlflow.traceRequestId"
CHUNK_EVENT_PREFIX = "mlflow.chunk.item."
CHUNK_VALUE = "mlflow.chunk.value"
GENERATOR_RETURN = "whence.generator.return_value"  # JSON text
GENERATOR_CLOSED = "whence.generator.closed_early"  # true
CAPTURE_PROBLEM = "whence.capture.problem"  # what could not be captured, in words

# Per-trace context travels on the root (or local root) span.
METADATA_PREFIX = "whence.metadata."  # whence.metadata.<key> = value, a string
TRACE_TAG_PREFIX = "mlflow.traceTag."  # mlflow.traceTag.<key> = value, a string
CLIENT_REQUEST_ID = "whence.client_request_id"
REQUEST_PREVIEW = "whence.request_preview"
RESPONSE_PREVIEW = "whence.response_preview"
TRACE_STATE = "whence.state"  # OK or ERROR, set by update_current_trace(state=…)
ASSESSMENTS = (
    "whence.assessments"  # JSON text: a list in MLflow's form; `"deleted": true` withdraws
)
LOCAL_ROOT = "whence.local_root"  # true: our topmost span under a parent that we did not record
PROVENANCE = "whence.provenance"  # JSON text {metadata key: where its value comes from}
PENDING = "whence.pending"  # true: the span has not ended; a later record replaces this one

# --- Resource attributes ---------------------------------------------------------------------
# Process-constant context that has no OpenTelemetry name travels as `whence.metadata.<key>` too.
EXPERIMENT_ID = "mlflow.experimentId"
EXPERIMENT_NAME = "whence.experiment.name"
EXPERIMENT_HEADER = "x-mlflow-experiment-id"
RUN_HEADER = "x-mlflow-run-id"  # the run that the traces of a request are linked to
DEFAULT_EXPERIMENT_ID = "0"
DEFAULT_EXPERIMENT_NAME = "Default"

# A text that belongs to a whole process (its diff), sent once as a resource without spans.
DOCUMENT_KIND = "whence.document.kind"  # "diff", or one of those below
DIFF_DOCUMENT = "diff"
MANIFEST_DOCUMENT = "manifest"  # the canonical JSON of a `VersionManifest`; its hash is the digest
PROMPT_DOCUMENT = "prompt"  # the text of a prompt; its hash is the text's SHA-256
ANCESTORS_DOCUMENT = "ancestors"  # a commit's first parents, a line each; its hash is the commit
DOCUMENT_HASH = "whence.document.hash"
DOCUMENT_TEXT = "whence.document.text"

# What OpenTelemetry programs say, and the metadata key it becomes. Read from the root span's
# attributes first, then from its resource.
METADATA_SOURCES: dict[str, tuple[str, ...]] = {
    APP_VERSION: ("service.version", "langfuse.release", "langfuse.version"),
    ENVIRONMENT: (
        "deployment.environment.name",
        "deployment.environment",
        "langfuse.environment",
    ),
    GIT_COMMIT: ("vcs.ref.head.revision", "vcs.repository.ref.revision", GIT_COMMIT),
    GIT_BRANCH: ("vcs.ref.head.name", "vcs.repository.ref.name", GIT_BRANCH),
    GIT_REPO_URL: ("vcs.repository.url.full", GIT_REPO_URL),
    SESSION: (
        "session.id",
        "gen_ai.conversation.id",
        "langfuse.session.id",
        "traceloop.association.properties.session_id",
        "ai.telemetry.metadata.sessionId",
        "session_id",
        SESSION,
    ),
    TRACE_USER: (
        "user.id",
        "enduser.id",
        "langfuse.user.id",
        "traceloop.association.properties.user_id",
        "ai.telemetry.metadata.userId",
        "user_id",
        TRACE_USER,
    ),
    DEPLOYMENT_ID: ("deployment.id",),
    REGION: ("cloud.region",),
    "service.name": ("service.name",),
    "service.instance.id": ("service.instance.id",),
    "cloud.availability_zone": ("cloud.availability_zone",),
    "k8s.cluster.name": ("k8s.cluster.name",),
    "k8s.namespace.name": ("k8s.namespace.name",),
    "k8s.deployment.name": ("k8s.deployment.name",),
    "k8s.pod.name": ("k8s.pod.name",),
    "k8s.node.name": ("k8s.node.name",),
    "container.image.name": ("container.image.name",),
    "container.image.tags": ("container.image.tags",),
    "container.id": ("container.id",),
    "host.name": ("host.name",),
    "process.runtime.name": ("process.runtime.name",),
    "process.runtime.version": ("process.runtime.version",),
    "cloud.provider": ("cloud.provider",),
    "cloud.platform": ("cloud.platform",),
    "cloud.account.id": ("cloud.account.id",),
    "faas.name": ("faas.name",),
    "faas.version": ("faas.version",),
}
METADATA_KEY_OF = {name: key for key, names in METADATA_SOURCES.items() for name in names}

# OpenTelemetry says of what kind a reference is: the name of a tag is no branch.
REFERENCE_NAME = "vcs.ref.head.name"
REFERENCE_TYPE = "vcs.ref.head.type"
BRANCH_REFERENCE = "branch"

# `<prefix><key> = value` becomes metadata `<key>`, unless the table above names the attribute.
METADATA_SOURCE_PREFIXES = (
    "langfuse.trace.metadata.",
    "traceloop.association.properties.",
    "ai.telemetry.metadata.",
)
# An object, or the JSON text of one: every key of it becomes a metadata key.
METADATA_SOURCE_OBJECTS = ("metadata", "langfuse.trace.metadata")
MAX_OBJECT_CHARS, MAX_OBJECT_KEYS = 65_536, 256  # of a larger one nothing does
# A list of labels: each of the first ones becomes a tag of that name with the value `true`.
LABEL_SOURCES = ("tag.tags", "langfuse.trace.tags")
LABEL_VALUE = "true"
MAX_LABELS = 100

# Where a client knows nothing, MLflow's sends '': under these keys '' counts as absent.
ABSENT_WHERE_EMPTY = "mlflow.source."

# Facts of the process that stay on the resource of its spans and become no metadata: nobody
# searches a month of traces for a process id.
RESOURCE_ONLY = frozenset(
    {
        "faas.instance",
        "heroku.app.id",
        "host.arch",
        "k8s.container.name",
        "k8s.pod.uid",
        "os.type",
        "process.executable.name",
        "process.pid",
        "service.namespace",
    }
)

# The metadata key in a dedicated column of `traces`; every other key lies in the `metadata` map.
# Columns hold the verbatim value, NULL where the key is absent.
COLUMN_OF_METADATA: dict[str, str] = {
    ENVIRONMENT: "metadata_environment",
    APP_VERSION: "app_version",
    GIT_COMMIT: "commit",
    GIT_BRANCH: "branch",
    SESSION: "session",
    TRACE_USER: "user",
}

# Verbatim environment (lower case) → OpenTelemetry's well-known name, for the bare field
# `environment` and its column. A name not listed is kept, in lower case.
WELL_KNOWN_ENVIRONMENTS: dict[str, str] = {
    "prod": "production",
    "prd": "production",
    "production": "production",
    "live": "production",
    "stage": "staging",
    "stg": "staging",
    "staging": "staging",
    "preprod": "staging",
    "pre-production": "staging",
    "dev": "development",
    "devel": "development",
    "develop": "development",
    "development": "development",
    "local": "development",
    "test": "test",
    "testing": "test",
    "ci": "test",
}


def canonical_key(name: str) -> str:
    """Return the metadata key that a name stands for: `session.id` is `mlflow.trace.session`."""
    return METADATA_KEY_OF.get(name, name)


def normalise_environment(verbatim: str, aliases: Mapping[str, str] | None = None) -> str:
    """Return OpenTelemetry's well-known name for an environment, or the name itself, lower case.

    `aliases` (lower case → name) are a user's own and come before the well-known ones.
    """
    name = verbatim.strip().lower()
    if aliases and name in aliases:
        return aliases[name]
    return WELL_KNOWN_ENVIRONMENTS.get(name, name)


# --- GenAI dialects, per field: the first key present wins ------------------------------------
INPUT_KEYS = (
    INPUTS,
    MLFLOW_INPUTS,
    "input.value",
    "gen_ai.input.messages",
    "gen_ai.tool.call.arguments",
    "traceloop.entity.input",
    "langfuse.observation.input",
)
OUTPUT_KEYS = (
    OUTPUTS,
    MLFLOW_OUTPUTS,
    "output.value",
    "gen_ai.output.messages",
    "gen_ai.tool.call.result",
    "traceloop.entity.output",
    "langfuse.observation.output",
)
MODEL_KEYS = (
    LLM_MODEL,
    "gen_ai.response.model",
    "gen_ai.request.model",
    "llm.response.model_name",
    "llm.model_name",
    "llm.request.model_name",
    "embedding.model_name",
    "reranker.model_name",
)
PROVIDER_KEYS = (
    LLM_PROVIDER,
    "gen_ai.provider.name",
    "llm.provider",
    "gen_ai.system",
    "llm.system",
)
INPUT_TOKEN_KEYS = (
    "gen_ai.usage.input_tokens",
    "llm.token_count.prompt",
    "gen_ai.usage.prompt_tokens",
    "llm.usage.prompt_tokens",
)
OUTPUT_TOKEN_KEYS = (
    "gen_ai.usage.output_tokens",
    "llm.token_count.completion",
    "gen_ai.usage.completion_tokens",
    "llm.usage.completion_tokens",
)
TOTAL_TOKEN_KEYS = ("gen_ai.usage.total_tokens", "llm.token_count.total", "llm.usage.total_tokens")
CACHE_READ_TOKEN_KEYS = (
    "gen_ai.usage.cache_read.input_tokens",
    "llm.token_count.prompt_details.cache_read",
    "gen_ai.usage.cache_read_input_tokens",
)
CACHE_CREATION_TOKEN_KEYS = (
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_write.input_tokens",
    "llm.token_count.prompt_details.cache_write",
    "gen_ai.usage.cache_creation_input_tokens",
)
SPAN_TYPE_KEYS = (
    SPAN_TYPE,
    "openinference.span.kind",
    "traceloop.span.kind",
    "langfuse.observation.type",
)
SPAN_TYPE_OF_OPERATION: dict[str, str] = {  # gen_ai.operation.name
    "chat": "CHAT_MODEL",
    "create_agent": "AGENT",
    "invoke_agent": "AGENT",
    "embeddings": "EMBEDDING",
    "execute_tool": "TOOL",
    "generate_content": "LLM",
    "text_completion": "LLM",
    "response": "LLM",
}
SPAN_TYPE_OF_TRACELOOP: dict[str, str] = {
    "workflow": "WORKFLOW",
    "task": "TASK",
    "agent": "AGENT",
    "tool": "TOOL",
}

# --- More of the dialects, for the server ------------------------------------------------------
OPERATION_NAME = "gen_ai.operation.name"
SPAN_TYPE_OF_REQUEST: dict[str, str] = {  # llm.request.type (OpenLLMetry)
    "chat": "CHAT_MODEL",
    "completion": "LLM",
    "embedding": "EMBEDDING",
    "rerank": "RERANKER",
}
REQUEST_TYPE = "llm.request.type"
SPAN_TYPE_OF_LANGFUSE: dict[str, str] = {"generation": "LLM", "span": "UNKNOWN", "event": "UNKNOWN"}
UNKNOWN_SPAN_TYPE = "UNKNOWN"
AGENT_SPAN_TYPE = "AGENT"

# Messages spread over indexed attributes: `<prefix>N.<rest>`, gathered into a list of messages.
INDEXED_INPUT_PREFIXES = ("gen_ai.prompt.", "llm.input_messages.")
INDEXED_OUTPUT_PREFIXES = ("gen_ai.completion.", "llm.output_messages.", "retrieval.documents.")

# Costs in USD that the program states itself, where `mlflow.llm.cost` is absent.
INPUT_COST_KEYS = ("llm.cost.prompt", "gen_ai.usage.input_cost")
OUTPUT_COST_KEYS = ("llm.cost.completion", "gen_ai.usage.output_cost")
TOTAL_COST_KEYS = ("llm.cost.total", "gen_ai.usage.cost", "gen_ai.usage.total_cost")

# Seconds from the request to the first piece of a streamed answer.
FIRST_TOKEN_SECONDS_KEYS = (
    "gen_ai.response.time_to_first_chunk",
    "gen_ai.response.time_to_first_token",
    "gen_ai.server.time_to_first_token",
)
EXCEPTION_EVENT = "exception"
EXCEPTION_TYPE = "exception.type"

# Tags that only the server writes; setting one is refused, in a header it is dropped.
SERVER_TAGS = (
    "mlflow.artifactLocation",
    "mlflow.trace.spansLocation",
    "mlflow.trace.archiveLocation",
    "mlflow.trace.archivalFailure",
)
DELETABLE_SERVER_TAGS = ("mlflow.trace.archivalFailure",)
