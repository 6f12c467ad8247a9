-- Where a trace's metadata comes from: JSON text {metadata key: source}, '' where nothing is known.
-- What is constant for a process makes few distinct texts. Of spans, only roots carry it.

ALTER TABLE spans
    ADD COLUMN IF NOT EXISTS provenance LowCardinality(String) AFTER response_preview;

ALTER TABLE traces
    ADD COLUMN IF NOT EXISTS provenance LowCardinality(String) AFTER models;

ALTER TABLE open_traces
    ADD COLUMN IF NOT EXISTS provenance LowCardinality(String) AFTER models;

-- 1: the key was refused and has no value at all, because its span had ended without it.
ALTER TABLE conflicts
    ADD COLUMN IF NOT EXISTS absent UInt8 AFTER kept;

-- Texts that belong to a whole process, such as the diff of its work tree. The first one counts.
CREATE TABLE IF NOT EXISTS documents
(
    kind           LowCardinality(String),
    hash           String,
    text           String CODEC(ZSTD(3)),
    received_at_us Int64,
    version        UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (kind, hash)
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;
