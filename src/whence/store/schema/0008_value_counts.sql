-- Counts of fields whose values are many, session and user, beside `trace_counts` and by the same
-- generations. value: NULL for traces that have none, so that a field's counts add up to all traces.
-- A field's rows lie together: facets read one field at a time, of all hours or of some, and most
-- often of one environment. LZ4, because reading was half of counting with ZSTD.
CREATE TABLE IF NOT EXISTS value_counts
(
    experiment_id        LowCardinality(String),
    field                LowCardinality(String),
    hour                 Int64 CODEC(Delta, ZSTD(1)),
    value                Nullable(String) CODEC(LZ4),
    generation           UInt64 CODEC(LZ4),
    rolled_at_us         Int64 CODEC(ZSTD(1)),
    environment          LowCardinality(Nullable(String)),
    metadata_environment LowCardinality(Nullable(String)),
    app_version          LowCardinality(Nullable(String)),
    commit               LowCardinality(Nullable(String)),
    branch               LowCardinality(Nullable(String)),
    state                LowCardinality(String),
    traces               UInt64 CODEC(T64, LZ4)
)
ENGINE = MergeTree
ORDER BY (experiment_id, field, environment, hour, value)
SETTINGS
    allow_nullable_key = 1,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;

-- Whether `value_counts` holds the generation: not of hours under way, nor of those rolled up before.
ALTER TABLE rolled_hours
    ADD COLUMN IF NOT EXISTS valued UInt8 AFTER newest_version;
