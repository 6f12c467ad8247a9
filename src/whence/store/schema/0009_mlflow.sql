-- Tags of experiments, and files that MLflow clients attach to traces (as base64: text is all that
-- the engine's readers hand over). A file goes with its trace.
ALTER TABLE experiments
    ADD COLUMN IF NOT EXISTS tags Map(LowCardinality(String), String) CODEC(ZSTD(1)) AFTER updated_ms;

CREATE TABLE IF NOT EXISTS artifacts
(
    trace_id     String CODEC(ZSTD(1)),
    path         String CODEC(ZSTD(1)),
    content_type LowCardinality(String),
    content      String CODEC(ZSTD(1)),
    version      UInt64 CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (trace_id, path)
SETTINGS
    index_granularity = 64,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;
