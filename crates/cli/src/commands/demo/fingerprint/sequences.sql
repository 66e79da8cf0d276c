-- Every sequence: how it counts, and how far it has.
SELECT pg_catalog.count(*) AS rows,
       pg_catalog.md5(coalesce(pg_catalog.sum(pg_catalog.hashtextextended(
           pg_catalog.format('%I.%I %s %s %s %s %s %s %L', s.schemaname, s.sequencename, s.data_type,
                             s.start_value, s.min_value, s.max_value, s.increment_by, s.cycle,
                             s.last_value), 0)), 0)::text) AS checksum
FROM pg_catalog.pg_sequences AS s
