-- Everything that was defined, in PostgreSQL's own words: columns, enums,
-- constraints, indexes, views, functions, triggers, comments.
WITH namespaces AS (
    SELECT oid FROM pg_catalog.pg_namespace
    WHERE nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema'
),
relations AS (
    SELECT c.oid, c.relkind FROM pg_catalog.pg_class AS c JOIN namespaces AS n ON n.oid = c.relnamespace
),
definitions (definition) AS (
    SELECT pg_catalog.format('column %s %I %s %s %s %s %s', r.oid::pg_catalog.regclass, a.attname,
                             pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull,
                             a.attidentity, a.attgenerated, pg_catalog.pg_get_expr(d.adbin, d.adrelid))
    FROM relations AS r
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = r.oid AND d.adnum = a.attnum
    WHERE r.relkind NOT IN ('i', 'I', 'S', 't')
    UNION ALL
    SELECT pg_catalog.format('enum %s %s %L', e.enumtypid::pg_catalog.regtype,
                             pg_catalog.row_number() OVER (PARTITION BY e.enumtypid ORDER BY e.enumsortorder),
                             e.enumlabel)
    FROM pg_catalog.pg_enum AS e
    UNION ALL
    SELECT pg_catalog.format('constraint %s %s %I %s', c.conrelid::pg_catalog.regclass,
                             c.contypid::pg_catalog.regtype, c.conname, pg_catalog.pg_get_constraintdef(c.oid))
    FROM pg_catalog.pg_constraint AS c JOIN namespaces AS n ON n.oid = c.connamespace
    UNION ALL
    SELECT pg_catalog.pg_get_indexdef(r.oid) FROM relations AS r WHERE r.relkind IN ('i', 'I')
    UNION ALL
    SELECT pg_catalog.format('view %s %s', r.oid::pg_catalog.regclass, pg_catalog.pg_get_viewdef(r.oid))
    FROM relations AS r WHERE r.relkind IN ('v', 'm')
    UNION ALL
    SELECT pg_catalog.pg_get_functiondef(p.oid)
    FROM pg_catalog.pg_proc AS p JOIN namespaces AS n ON n.oid = p.pronamespace
    WHERE p.prokind IN ('f', 'p') AND p.probin IS NULL
    UNION ALL
    SELECT pg_catalog.pg_get_triggerdef(t.oid)
    FROM pg_catalog.pg_trigger AS t JOIN relations AS r ON r.oid = t.tgrelid
    WHERE NOT t.tgisinternal
    UNION ALL
    SELECT pg_catalog.format('comment %s %L', r.oid::pg_catalog.regclass,
                             pg_catalog.obj_description(r.oid, 'pg_class'))
    FROM relations AS r WHERE pg_catalog.obj_description(r.oid, 'pg_class') IS NOT NULL
)
SELECT pg_catalog.count(*) AS rows,
       pg_catalog.md5(coalesce(pg_catalog.sum(pg_catalog.hashtextextended(definition, 0)), 0)::text) AS checksum
FROM definitions
