-- Counts and statistics of the complete traces of an hour, computed from the deduplicated `traces`.
-- They can be dropped at any time: `dirty_hours` and `rolled_hours` say what they cover.
-- hour: request_time_ms divided by 3,600,000. generation: one computation of one hour.

-- The hours whose traces changed: written before the traces are. One row per writing process.
CREATE TABLE IF NOT EXISTS dirty_hours
(
    experiment_id LowCardinality(String),
    hour          Int64,
    writer        LowCardinality(String),
    version       UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (experiment_id, hour, writer)
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;

-- The generation of every hour that counts, and the changes that it has seen: {writer: version}.
CREATE TABLE IF NOT EXISTS rolled_hours
(
    experiment_id  LowCardinality(String),
    hour           Int64,
    generation     UInt64,
    seen           Map(LowCardinality(String), UInt64),
    newest_version UInt64,
    version        UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (experiment_id, hour)
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;

-- Older generations stay until nobody can be reading them, so these tables replace nothing.
CREATE TABLE IF NOT EXISTS trace_counts
(
    experiment_id        LowCardinality(String),
    hour                 Int64 CODEC(Delta, ZSTD(1)),
    generation           UInt64 CODEC(ZSTD(1)),
    rolled_at_us         Int64 CODEC(ZSTD(1)),
    environment          LowCardinality(Nullable(String)),
    metadata_environment LowCardinality(Nullable(String)),
    app_version          LowCardinality(Nullable(String)),
    commit               LowCardinality(Nullable(String)),
    branch               LowCardinality(Nullable(String)),
    state                LowCardinality(String),
    trace_name           LowCardinality(Nullable(String)),
    traces               UInt64 CODEC(ZSTD(1))
)
ENGINE = MergeTree
ORDER BY (experiment_id, hour)
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;

-- durations: a histogram {bucket: traces}, bucket b from 2^(b/32) ns up to 2^((b+1)/32), -1 below 1.
CREATE TABLE IF NOT EXISTS trace_statistics
(
    experiment_id LowCardinality(String),
    environment   LowCardinality(Nullable(String)),
    hour          Int64 CODEC(Delta, ZSTD(1)),
    app_version   LowCardinality(Nullable(String)),
    trace_name    LowCardinality(Nullable(String)),
    generation    UInt64 CODEC(ZSTD(1)),
    rolled_at_us  Int64 CODEC(ZSTD(1)),
    traces        UInt64 CODEC(ZSTD(1)),
    errors        UInt64 CODEC(ZSTD(1)),
    dirty         UInt64 CODEC(ZSTD(1)),
    first_seen_ms Int64 CODEC(ZSTD(1)),
    last_seen_ms  Int64 CODEC(ZSTD(1)),
    spans         UInt64 CODEC(ZSTD(1)),
    counted       UInt64 CODEC(ZSTD(1)),
    input_tokens  UInt64 CODEC(ZSTD(1)),
    output_tokens UInt64 CODEC(ZSTD(1)),
    total_tokens  UInt64 CODEC(ZSTD(1)),
    priced        UInt64 CODEC(ZSTD(1)),
    cost_usd      Float64 CODEC(ZSTD(1)),
    durations     Map(Int16, UInt64) CODEC(ZSTD(1)),
    commits       Map(String, UInt64) CODEC(ZSTD(1))
)
ENGINE = MergeTree
ORDER BY (experiment_id, environment, hour, app_version, trace_name)
SETTINGS
    allow_nullable_key = 1,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;
