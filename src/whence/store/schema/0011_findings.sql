-- What the server finds by itself while traffic arrives. Facts are append-only: a finding is what its
-- events say. What people say about it (seen, muted) is apart, and so is where each watch stands.
-- An event's key is made of what happened, so that two servers that saw the same write one row.
CREATE TABLE IF NOT EXISTS finding_events
(
    finding_id     String,
    episode        UInt32,
    kind           LowCardinality(String),
    look           UInt32,
    at_ms          Int64 CODEC(ZSTD(1)),
    experiment_id  LowCardinality(String),
    environment    LowCardinality(Nullable(String)),
    baseline       String CODEC(ZSTD(1)),
    baseline_kind  LowCardinality(String),
    candidate      String CODEC(ZSTD(1)),
    candidate_kind LowCardinality(String),
    metric         LowCardinality(String),
    summary        String CODEC(ZSTD(1)),
    reason         String CODEC(ZSTD(1)),
    figures        String CODEC(ZSTD(1)),
    evidence       String CODEC(ZSTD(1)),
    version        UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (finding_id, episode, kind, look)
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;

CREATE TABLE IF NOT EXISTS finding_marks
(
    finding_id      String,
    acknowledged_ms Int64,
    muted           UInt8,
    note            String CODEC(ZSTD(1)),
    version         UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY finding_id
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;

-- Where the watch of a candidate stands: the looks it has taken must never be taken again.
CREATE TABLE IF NOT EXISTS watches
(
    watch_id       String,
    experiment_id  LowCardinality(String),
    environment    LowCardinality(Nullable(String)),
    candidate      String,
    candidate_kind LowCardinality(String),
    progress       String CODEC(ZSTD(1)),
    version        UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY watch_id
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;

-- Servers that share a store: the one that started first, of those seen lately, watches and sends.
CREATE TABLE IF NOT EXISTS watchers
(
    name       String,
    started_us UInt64,
    seen_us    UInt64
)
ENGINE = ReplacingMergeTree(seen_us)
ORDER BY name
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;

CREATE TABLE IF NOT EXISTS webhooks
(
    webhook_id  String,
    url         String CODEC(ZSTD(1)),
    form        LowCardinality(String),
    environment Nullable(String),
    secret      String,
    created_ms  Int64,
    deleted     UInt8,
    version     UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY webhook_id
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;

-- The outbox: what is to be sent, and how sending went. The body stays as it was written.
CREATE TABLE IF NOT EXISTS deliveries
(
    delivery_id  String,
    webhook_id   String,
    finding_id   String,
    event        LowCardinality(String),
    body         String CODEC(ZSTD(1)),
    state        LowCardinality(String),
    attempts     UInt32,
    created_ms   Int64,
    next_ms      Int64,
    delivered_ms Int64,
    status       UInt16,
    error        String CODEC(ZSTD(1)),
    version      UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY delivery_id
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;
