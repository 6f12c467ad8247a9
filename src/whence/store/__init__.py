"""Where traces rest: one schema and one SQL dialect, embedded (chDB) or on a ClickHouse server.

`connection.open_store(url)` opens it; `rows` holds a struct per table; each table has a module
(`spans`, `headers`, `traces`, `tags`, `assessments`, `deletions`, `conflicts`, `experiments`).
"""
