-- A resource is the same for all spans of a process. As a map it was half of what the engine parsed,
-- packed and merged of a span; as one text in a dictionary it is a number a span.
-- A step may be broken off and done again: rows that have the text keep it.
ALTER TABLE spans
    ADD COLUMN IF NOT EXISTS resource Map(LowCardinality(String), LowCardinality(String));

ALTER TABLE spans
    ADD COLUMN IF NOT EXISTS resource_json LowCardinality(String) CODEC(ZSTD(3)) AFTER links;

ALTER TABLE spans
    UPDATE resource_json = concat(
        '{',
        arrayStringConcat(
            arrayMap(
                (name, text) -> concat(toJSONString(toString(name)), ':', toString(text)),
                mapKeys(resource),
                mapValues(resource)
            ),
            ','
        ),
        '}'
    )
    WHERE notEmpty(resource)
SETTINGS mutations_sync = 2;

ALTER TABLE spans
    DROP COLUMN IF EXISTS resource
SETTINGS mutations_sync = 2;
