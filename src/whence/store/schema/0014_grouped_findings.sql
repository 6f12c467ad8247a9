-- A finding is of a version, whatever it shows in: `metrics` holds the figures of all, `metric` and
-- `figures` those of the one that leads. '' in rows of older programs, which kept one metric each.
ALTER TABLE finding_events
    ADD COLUMN IF NOT EXISTS metrics String CODEC(ZSTD(1)) AFTER figures;

-- The later version that no longer shows what was resolved, '' where the version itself got better.
ALTER TABLE finding_events
    ADD COLUMN IF NOT EXISTS resolved_by String AFTER reason;

-- What was overwritten (the secret of a webhook that is gone) leaves the disk a second after the merge,
-- not eight minutes. Merges of this table are fsynced.
ALTER TABLE webhooks
    MODIFY SETTING old_parts_lifetime = 1;
