-- Every large object, byte by byte.
SELECT pg_catalog.count(*) AS rows,
       pg_catalog.md5(coalesce(pg_catalog.sum(pg_catalog.hashtextextended(
           m.oid || ' ' || pg_catalog.md5(pg_catalog.lo_get(m.oid)), 0)), 0)::text) AS checksum
FROM pg_catalog.pg_largeobject_metadata AS m
