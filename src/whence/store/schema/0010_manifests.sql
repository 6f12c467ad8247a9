-- The first parents of commits that traces came from, the nearest first. The longest list stays.
CREATE TABLE IF NOT EXISTS ancestors
(
    commit    String CODEC(ZSTD(1)),
    ancestors Array(String) CODEC(ZSTD(1)),
    version   UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY commit
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;

-- What makes a version lies in `documents` (kinds `manifest`, `prompt`), by its digest.
-- lone_commit: the commit of traces that name no app_version. manifests: {digest: traces}.
ALTER TABLE trace_statistics
    ADD COLUMN IF NOT EXISTS lone_commit LowCardinality(Nullable(String)) AFTER trace_name,
    ADD COLUMN IF NOT EXISTS manifests Map(String, UInt64) CODEC(ZSTD(1)) AFTER commits;

-- Hours with commits of traces that name no version are computed again in the background.
ALTER TABLE rolled_hours
    DELETE WHERE (experiment_id, hour) IN (
        SELECT experiment_id, hour
        FROM trace_statistics
        WHERE isNull(app_version) AND notEmpty(commits) AND isNull(lone_commit)
    )
SETTINGS mutations_sync = 2;
