-- Computed when a row is written, as in `traces`: analysing the expression takes 1.7 ms a search.
ALTER TABLE open_traces
    MODIFY COLUMN packed String MATERIALIZED toJSONString((
        duration_ns, state, trace_name, environment, metadata_environment, app_version, commit,
        branch, session, user, metadata, tags, client_request_id, request_preview,
        response_preview, span_count, error_count, input_tokens, output_tokens, total_tokens,
        cost_usd, size_bytes, models, provenance
    )) CODEC(ZSTD(1));
