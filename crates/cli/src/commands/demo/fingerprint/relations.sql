-- Everything in the current database that holds rows, but for PostgreSQL's own.
SELECT n.nspname::text AS schema, c.relname::text AS name, c.relkind = 'r' AS is_table
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema')
ORDER BY n.nspname <> 'public', 1, 2
