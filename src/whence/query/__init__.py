"""Find traces: filter text → `Filter` → parameterised ClickHouse SQL → pages of traces.

In the order of the data: `vocabulary` (which fields there are), `filters` (what a filter is),
`parser` (text to filter), `versions` (one order for every version text), `compile` (filter to SQL),
`search` (pages), `views` (the JSON of a trace, its spans and its assessments), `fields` (which
keys and values have been seen).
"""
