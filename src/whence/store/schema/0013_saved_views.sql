-- Ways to look at the traces that somebody gave a name: the query part of the page's address.
CREATE TABLE IF NOT EXISTS saved_views
(
    name     String,
    search   String CODEC(ZSTD(1)),
    saved_ms Int64,
    deleted  UInt8,
    version  UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY name
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;
