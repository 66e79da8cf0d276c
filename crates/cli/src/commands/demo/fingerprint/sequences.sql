SELECT pg_catalog.count(*) AS rows,
       pg_catalog.md5(coalesce(pg_catalog.sum(pg_catalog.hashtextextended(
           pg_catalog.format('%I.%I %L', s.schemaname, s.sequencename, s.last_value), 0)), 0)::text) AS checksum
FROM pg_catalog.pg_sequences AS s
