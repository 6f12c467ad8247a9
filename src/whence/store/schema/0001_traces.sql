-- Truth is append-only: `spans` and `headers`. What people change lies in `tags` and `assessments`.
-- Deletions are tombstones. `traces` and `open_traces` are derived and can be rebuilt.
-- An acknowledged row is on the disk (fsync), and stays there through merges.
-- Absent text is '' in `spans` and NULL in `traces`, where absent and '' must differ.

CREATE TABLE IF NOT EXISTS spans
(
    experiment_id    LowCardinality(String),
    trace_id         String,
    span_id          String,
    parent_id        String,
    name             LowCardinality(String),
    span_type        LowCardinality(String),
    kind             LowCardinality(String),
    start_time_ns    Int64 CODEC(Delta, ZSTD(1)),
    end_time_ns      Int64 CODEC(Delta, ZSTD(1)),
    status           LowCardinality(String),
    status_message   String CODEC(ZSTD(1)),
    attributes       Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    inputs           String CODEC(ZSTD(1)),
    outputs          String CODEC(ZSTD(1)),
    events           String CODEC(ZSTD(1)),
    links            String CODEC(ZSTD(1)),
    resource         Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    scope            LowCardinality(String),
    trace_state      LowCardinality(String),
    model            LowCardinality(String),
    provider         LowCardinality(String),
    usage            String CODEC(ZSTD(1)),
    cost             String CODEC(ZSTD(1)),
    request_preview  String CODEC(ZSTD(1)),
    response_preview String CODEC(ZSTD(1)),
    size_bytes       UInt64,
    received_at_us   Int64 CODEC(Delta, ZSTD(1)),
    version          UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (trace_id, span_id)
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;

CREATE TABLE IF NOT EXISTS headers
(
    trace_id       String,
    header         String CODEC(ZSTD(1)),
    received_at_us Int64,
    version        UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY trace_id
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;

CREATE TABLE IF NOT EXISTS traces
(
    experiment_id        LowCardinality(String),
    trace_id             String,
    request_time_ms      Int64 CODEC(Delta, ZSTD(1)),
    duration_ns          Nullable(Int64),
    state                LowCardinality(String),
    trace_name           LowCardinality(Nullable(String)),
    environment          LowCardinality(Nullable(String)),
    metadata_environment LowCardinality(Nullable(String)),
    app_version          LowCardinality(Nullable(String)),
    commit               LowCardinality(Nullable(String)),
    branch               LowCardinality(Nullable(String)),
    session              Nullable(String),
    user                 Nullable(String),
    metadata             Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    tags                 Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    client_request_id    Nullable(String),
    request_preview      Nullable(String) CODEC(ZSTD(1)),
    response_preview     Nullable(String) CODEC(ZSTD(1)),
    span_count           UInt32,
    error_count          UInt32,
    input_tokens         Nullable(UInt64),
    output_tokens        Nullable(UInt64),
    total_tokens         Nullable(UInt64),
    cost_usd             Nullable(Float64),
    size_bytes           UInt64,
    models               Array(LowCardinality(String)),
    version              UInt64,
    deleted              UInt8,
    INDEX by_trace_id trace_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_session session TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_user user TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_commit commit TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, deleted)
ORDER BY (experiment_id, -request_time_ms, trace_id)
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;

-- Traces that have not ended: the same columns, replaced by trace id, because their time may move.
CREATE TABLE IF NOT EXISTS open_traces AS traces
ENGINE = ReplacingMergeTree(version, deleted)
ORDER BY trace_id
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;

CREATE TABLE IF NOT EXISTS tags
(
    trace_id String,
    key      String,
    value    String CODEC(ZSTD(1)),
    version  UInt64,
    deleted  UInt8
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (trace_id, key)
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;

CREATE TABLE IF NOT EXISTS assessments
(
    trace_id            String,
    assessment_id       String,
    name                LowCardinality(String),
    kind                LowCardinality(String),
    value               String CODEC(ZSTD(1)),
    error               String CODEC(ZSTD(1)),
    source_type         LowCardinality(String),
    source_id           LowCardinality(String),
    rationale           Nullable(String) CODEC(ZSTD(1)),
    metadata            Map(LowCardinality(String), String),
    span_id             String,
    create_time_ms      Int64,
    last_update_time_ms Int64,
    overrides           String,
    valid               UInt8,
    version             UInt64,
    deleted             UInt8
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (trace_id, assessment_id)
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;

CREATE TABLE IF NOT EXISTS deletions
(
    trace_id      String,
    experiment_id LowCardinality(String),
    deleted_at_us Int64
)
ENGINE = ReplacingMergeTree(deleted_at_us)
ORDER BY trace_id
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;

-- Writes that came too late or contradicted immutable metadata: the loser is kept and shown.
CREATE TABLE IF NOT EXISTS conflicts
(
    trace_id String,
    key      String,
    kept     String,
    refused  String,
    source   LowCardinality(String),
    at_us    Int64
)
ENGINE = ReplacingMergeTree(at_us)
ORDER BY (trace_id, key, refused)
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;

CREATE TABLE IF NOT EXISTS experiments
(
    experiment_id   String,
    name            String,
    lifecycle_stage LowCardinality(String),
    created_ms      Int64,
    updated_ms      Int64,
    version         UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY experiment_id
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;
