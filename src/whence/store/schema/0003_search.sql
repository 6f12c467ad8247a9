-- `traces` is laid out anew, for pages of a search: granules of 256 rows, a row of a page in one
-- column, and inverted indexes on what is searched for (docs/adr says why, and what it costs).
-- The rows are copied; a copy that broke off is thrown away and begun again.

DROP TABLE IF EXISTS traces_next SYNC
SETTINGS max_table_size_to_drop = 0;

-- packed: a row as a JSON array, without the key, `version` and `deleted` (store/traces.py reads it).
-- by_metadata: every entry of the map as 'length of the key:key' + the value's first 256 bytes.
CREATE TABLE traces_next
(
    experiment_id        LowCardinality(String),
    trace_id             String CODEC(ZSTD(1)),
    request_time_ms      Int64 CODEC(Delta, ZSTD(1)),
    duration_ns          Nullable(Int64) CODEC(ZSTD(1)),
    state                LowCardinality(String),
    trace_name           LowCardinality(Nullable(String)),
    environment          LowCardinality(Nullable(String)),
    metadata_environment LowCardinality(Nullable(String)),
    app_version          LowCardinality(Nullable(String)),
    commit               LowCardinality(Nullable(String)),
    branch               LowCardinality(Nullable(String)),
    session              Nullable(String) CODEC(ZSTD(1)),
    user                 Nullable(String) CODEC(ZSTD(1)),
    metadata             Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    tags                 Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    client_request_id    Nullable(String) CODEC(ZSTD(1)),
    request_preview      Nullable(String) CODEC(ZSTD(1)),
    response_preview     Nullable(String) CODEC(ZSTD(1)),
    span_count           UInt32 CODEC(ZSTD(1)),
    error_count          UInt32 CODEC(ZSTD(1)),
    input_tokens         Nullable(UInt64) CODEC(ZSTD(1)),
    output_tokens        Nullable(UInt64) CODEC(ZSTD(1)),
    total_tokens         Nullable(UInt64) CODEC(ZSTD(1)),
    cost_usd             Nullable(Float64) CODEC(ZSTD(1)),
    size_bytes           UInt64 CODEC(ZSTD(1)),
    models               Array(LowCardinality(String)) CODEC(ZSTD(1)),
    provenance           LowCardinality(String),
    version              UInt64 CODEC(Delta, ZSTD(1)),
    deleted              UInt8,
    packed               String MATERIALIZED toJSONString((
        duration_ns, state, trace_name, environment, metadata_environment, app_version, commit,
        branch, session, user, metadata, tags, client_request_id, request_preview,
        response_preview, span_count, error_count, input_tokens, output_tokens, total_tokens,
        cost_usd, size_bytes, models, provenance
    )) CODEC(ZSTD(1)) SETTINGS (min_compress_block_size = 16384, max_compress_block_size = 16384),
    INDEX by_trace_id trace_id TYPE bloom_filter(0.001) GRANULARITY 8,
    INDEX by_app_version app_version TYPE text(tokenizer = array),
    INDEX by_commit commit TYPE text(tokenizer = array),
    INDEX by_branch branch TYPE text(tokenizer = array),
    INDEX by_session session TYPE text(tokenizer = array),
    INDEX by_user user TYPE text(tokenizer = array),
    INDEX by_metadata arrayMap(
        (k, v) -> concat(toString(length(k)), ':', k, substring(v, 1, 256)),
        mapKeys(metadata), mapValues(metadata)) TYPE text(tokenizer = array),
    INDEX by_request_preview request_preview TYPE text(tokenizer = splitByNonAlpha),
    INDEX by_response_preview response_preview TYPE text(tokenizer = splitByNonAlpha)
)
ENGINE = ReplacingMergeTree(version, deleted)
ORDER BY (experiment_id, -request_time_ms, trace_id)
SETTINGS
    index_granularity = 256,
    min_compress_block_size = 16384,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;

-- In small blocks, because `packed` of a block is made in memory.
INSERT INTO traces_next
(
    experiment_id, trace_id, request_time_ms, duration_ns, state, trace_name, environment,
    metadata_environment, app_version, commit, branch, session, user, metadata, tags,
    client_request_id, request_preview, response_preview, span_count, error_count, input_tokens,
    output_tokens, total_tokens, cost_usd, size_bytes, models, provenance, version, deleted
)
SELECT
    experiment_id, trace_id, request_time_ms, duration_ns, state, trace_name, environment,
    metadata_environment, app_version, commit, branch, session, user, metadata, tags,
    client_request_id, request_preview, response_preview, span_count, error_count, input_tokens,
    output_tokens, total_tokens, cost_usd, size_bytes, models, provenance, version, deleted
FROM traces
SETTINGS
    max_block_size = 16384,
    max_insert_block_size = 65536,
    min_insert_block_size_rows = 65536,
    min_insert_block_size_bytes = 67108864,
    materialize_skip_indexes_on_insert = 1;

EXCHANGE TABLES traces_next AND traces;

DROP TABLE traces_next SYNC
SETTINGS max_table_size_to_drop = 0;

-- Few rows, and replaced often: computed when it is read.
ALTER TABLE open_traces
    ADD COLUMN IF NOT EXISTS packed String ALIAS toJSONString((
        duration_ns, state, trace_name, environment, metadata_environment, app_version, commit,
        branch, session, user, metadata, tags, client_request_id, request_preview,
        response_preview, span_count, error_count, input_tokens, output_tokens, total_tokens,
        cost_usd, size_bytes, models, provenance
    ));
