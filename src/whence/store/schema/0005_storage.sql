-- Codecs, types and granules chosen by measurement (docs/storage.md). A column without a codec is
-- written with LZ4, which can't shrink an id in hex; ZSTD(1) halves it.

-- Smaller granules: reading a trace unpacks 1,024 spans (or 1 MiB) of a column instead of 8,192.
-- Lengths beside their texts instead of in a file of their own: fewer files, and better packed.
-- A granule's size can't be altered, so a table of the new size takes the place and then the rows.
-- Parts are linked, not copied; they keep their granules until they are merged with new ones.
-- Wherever a crash broke it off, doing all of it again ends with every row in `spans`.
CREATE TABLE IF NOT EXISTS spans_of_step_5 AS spans
ENGINE = ReplacingMergeTree(version)
ORDER BY (trace_id, span_id)
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1,
    index_granularity = 1024,
    index_granularity_bytes = 1048576,
    min_compress_block_size = 16384,
    string_serialization_version = 'single_stream';

EXCHANGE TABLES spans AND spans_of_step_5;

ALTER TABLE spans ATTACH PARTITION tuple() FROM spans_of_step_5;

DROP TABLE spans_of_step_5 SYNC
SETTINGS max_table_size_to_drop = 0;

-- A resource is the same for all spans of a process: its values are few.
ALTER TABLE spans
    MODIFY COLUMN trace_id String CODEC(ZSTD(1)),
    MODIFY COLUMN span_id String CODEC(ZSTD(1)),
    MODIFY COLUMN parent_id String CODEC(ZSTD(1)),
    MODIFY COLUMN experiment_id LowCardinality(String) CODEC(ZSTD(1)),
    MODIFY COLUMN name LowCardinality(String) CODEC(ZSTD(1)),
    MODIFY COLUMN span_type LowCardinality(String) CODEC(ZSTD(1)),
    MODIFY COLUMN kind LowCardinality(String) CODEC(ZSTD(1)),
    MODIFY COLUMN start_time_ns Int64 CODEC(ZSTD(1)),
    MODIFY COLUMN end_time_ns Int64 CODEC(ZSTD(1)),
    MODIFY COLUMN status LowCardinality(String) CODEC(ZSTD(1)),
    MODIFY COLUMN status_message String CODEC(ZSTD(3)),
    MODIFY COLUMN attributes Map(LowCardinality(String), String) CODEC(ZSTD(3)),
    MODIFY COLUMN inputs String CODEC(ZSTD(3)),
    MODIFY COLUMN outputs String CODEC(ZSTD(3)),
    MODIFY COLUMN events String CODEC(ZSTD(3)),
    MODIFY COLUMN links String CODEC(ZSTD(3)),
    MODIFY COLUMN resource Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    MODIFY COLUMN scope LowCardinality(String) CODEC(ZSTD(1)),
    MODIFY COLUMN trace_state LowCardinality(String) CODEC(ZSTD(1)),
    MODIFY COLUMN model LowCardinality(String) CODEC(ZSTD(1)),
    MODIFY COLUMN provider LowCardinality(String) CODEC(ZSTD(1)),
    MODIFY COLUMN usage String CODEC(ZSTD(3)),
    MODIFY COLUMN cost String CODEC(ZSTD(3)),
    MODIFY COLUMN request_preview String CODEC(ZSTD(3)),
    MODIFY COLUMN response_preview String CODEC(ZSTD(3)),
    MODIFY COLUMN provenance LowCardinality(String) CODEC(ZSTD(1)),
    MODIFY COLUMN size_bytes UInt64 CODEC(T64, ZSTD(1)),
    MODIFY COLUMN received_at_us Int64 CODEC(ZSTD(1)),
    MODIFY COLUMN version UInt64 CODEC(ZSTD(1));

ALTER TABLE headers
    MODIFY COLUMN trace_id String CODEC(ZSTD(1)),
    MODIFY COLUMN header String CODEC(ZSTD(3)),
    MODIFY COLUMN received_at_us Int64 CODEC(ZSTD(1)),
    MODIFY COLUMN version UInt64 CODEC(ZSTD(1));

ALTER TABLE tags
    MODIFY COLUMN trace_id String CODEC(ZSTD(1)),
    MODIFY COLUMN key String CODEC(ZSTD(1)),
    MODIFY COLUMN version UInt64 CODEC(ZSTD(1));

ALTER TABLE assessments
    MODIFY COLUMN trace_id String CODEC(ZSTD(1)),
    MODIFY COLUMN assessment_id String CODEC(ZSTD(1)),
    MODIFY COLUMN rationale Nullable(String) CODEC(ZSTD(3)),
    MODIFY COLUMN metadata Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    MODIFY COLUMN span_id String CODEC(ZSTD(1)),
    MODIFY COLUMN create_time_ms Int64 CODEC(ZSTD(1)),
    MODIFY COLUMN last_update_time_ms Int64 CODEC(ZSTD(1)),
    MODIFY COLUMN overrides String CODEC(ZSTD(1)),
    MODIFY COLUMN version UInt64 CODEC(ZSTD(1));

ALTER TABLE deletions
    MODIFY COLUMN trace_id String CODEC(ZSTD(1)),
    MODIFY COLUMN deleted_at_us Int64 CODEC(ZSTD(1));

ALTER TABLE conflicts
    MODIFY COLUMN trace_id String CODEC(ZSTD(1)),
    MODIFY COLUMN key String CODEC(ZSTD(1)),
    MODIFY COLUMN kept String CODEC(ZSTD(1)),
    MODIFY COLUMN refused String CODEC(ZSTD(1)),
    MODIFY COLUMN at_us Int64 CODEC(ZSTD(1));
