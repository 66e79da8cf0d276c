//! Ordinary databases, restored in each of the ways that people restore them: none of that is
//! called another database than was dumped.

use pgkeep_testkit::cluster::{Cluster, Major};

use crate::site::{Site, restore, socket_of};

const ROLES: &str = "CREATE ROLE own LOGIN CREATEDB; CREATE ROLE reader LOGIN; \
     CREATE ROLE staff; GRANT staff TO own";

/// What applications have: made by `own`.
const APPLICATION: &str = r#"
SET ROLE own;
CREATE SCHEMA sales; CREATE SCHEMA side;
COMMENT ON SCHEMA sales IS 'all that is sold';
ALTER DEFAULT PRIVILEGES IN SCHEMA sales GRANT SELECT ON TABLES TO reader;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
GRANT USAGE ON SCHEMA sales TO reader;
CREATE DOMAIN sales.amount AS numeric(12,2) DEFAULT 0 NOT NULL
  CONSTRAINT positive CHECK (VALUE >= 0) CONSTRAINT small CHECK (VALUE < 1e9);
CREATE DOMAIN sales.amounts AS sales.amount[];
CREATE TYPE sales.state AS ENUM ('new', 'paid');
CREATE TYPE sales.pair AS (a int, b sales.amount);
CREATE TYPE sales.span AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE FUNCTION sales.twice(n int) RETURNS int LANGUAGE sql IMMUTABLE RETURN n * 2;
CREATE FUNCTION sales.stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE PROCEDURE sales.tidy() LANGUAGE sql AS 'SELECT 1';
CREATE AGGREGATE sales.total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
CREATE OPERATOR sales.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq, COMMUTATOR = OPERATOR(sales.===));
CREATE CAST (sales.pair AS text) WITH INOUT AS ASSIGNMENT;
CREATE COLLATION sales.plain FROM "C";
CREATE TEXT SEARCH CONFIGURATION sales.words (COPY = simple);
CREATE TEXT SEARCH DICTIONARY sales.plain (TEMPLATE = simple);
CREATE TABLE sales.orders (
  id bigint GENERATED ALWAYS AS IDENTITY (START 100 INCREMENT 5),
  day date NOT NULL CHECK (day > '2000-01-01'),
  cents int NOT NULL, euros numeric GENERATED ALWAYS AS (cents / 100.0) STORED,
  price sales.amount, all_of sales.amounts, state sales.state DEFAULT 'new', dropped int,
  PRIMARY KEY (id, day), CONSTRAINT paid CHECK (cents >= 0) NOT VALID
) PARTITION BY RANGE (day);
CREATE TABLE sales.orders_old PARTITION OF sales.orders FOR VALUES FROM (MINVALUE) TO ('2020-01-01')
  PARTITION BY HASH (id);
CREATE TABLE sales.orders_old_0 PARTITION OF sales.orders_old FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE sales.orders_old_1 PARTITION OF sales.orders_old FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE sales.orders_rest (cents int NOT NULL, id bigint NOT NULL, day date NOT NULL,
  euros numeric GENERATED ALWAYS AS (cents / 100.0) STORED, price sales.amount,
  all_of sales.amounts, state sales.state, dropped int,
  CONSTRAINT orders_day_check CHECK (day > '2000-01-01'), CONSTRAINT paid CHECK (cents >= 0) NOT VALID,
  CONSTRAINT own_rule CHECK (cents < 1000000));
ALTER TABLE sales.orders ATTACH PARTITION sales.orders_rest DEFAULT;
ALTER TABLE sales.orders DROP COLUMN dropped;
CREATE INDEX ON sales.orders (state); CREATE INDEX part_only ON ONLY sales.orders (cents);
CREATE INDEX orders_rest_alone ON sales.orders_rest (price);
CREATE STATISTICS sales.both ON day, cents FROM sales.orders;
CREATE TRIGGER stamped BEFORE INSERT ON sales.orders FOR EACH ROW EXECUTE FUNCTION sales.stamp();
CREATE TRIGGER alone AFTER DELETE ON sales.orders_rest FOR EACH ROW EXECUTE FUNCTION sales.stamp();
ALTER TABLE sales.orders_rest DISABLE TRIGGER stamped;
CREATE TABLE sales.lines (id serial PRIMARY KEY, order_id bigint, day date, n int DEFAULT sales.twice(2),
  parent int REFERENCES sales.lines DEFERRABLE INITIALLY DEFERRED,
  FOREIGN KEY (order_id, day) REFERENCES sales.orders ON DELETE CASCADE,
  EXCLUDE USING gist (int4range(id, id, '[]') WITH &&), UNIQUE NULLS NOT DISTINCT (order_id, n));
CREATE TABLE sales.lines_log (LIKE sales.lines INCLUDING ALL);
CREATE TABLE side.base (n int CONSTRAINT base_n CHECK (n > 0), m int NOT NULL,
  CONSTRAINT mine CHECK (m > 0) NO INHERIT, t text);
CREATE TABLE side.child (CONSTRAINT base_n CHECK (n > 0), more int) INHERITS (side.base);
CREATE TABLE side.grandchild () INHERITS (side.child);
CREATE TABLE side.merged (n int, m int NOT NULL, t text, CONSTRAINT base_n CHECK (n > 0));
ALTER TABLE side.merged INHERIT side.base;
ALTER TABLE side.child ALTER COLUMN t SET DEFAULT 'x', ALTER COLUMN t SET NOT NULL;
CREATE TABLE side.typed OF sales.pair (a WITH OPTIONS PRIMARY KEY);
CREATE TABLE side.nothing ();
CREATE UNLOGGED TABLE side.quick (n int);
CREATE INDEX ON side.base (lower(t)) WHERE n > 5;
ALTER TABLE side.base ENABLE ROW LEVEL SECURITY;
CREATE POLICY readers ON side.base FOR SELECT TO reader USING (n > 0);
CREATE RULE quiet AS ON DELETE TO side.base DO INSTEAD NOTHING;
CREATE VIEW sales.shown AS SELECT id, day, euros FROM sales.orders WITH CASCADED CHECK OPTION;
CREATE VIEW side.of_view AS SELECT * FROM sales.shown;
CREATE RULE in_view AS ON INSERT TO side.of_view DO INSTEAD NOTHING;
CREATE MATERIALIZED VIEW sales.sums AS SELECT day, count(*) FROM sales.orders GROUP BY day;
CREATE UNIQUE INDEX ON sales.sums (day);
CREATE SEQUENCE side.counter INCREMENT -3 MINVALUE -100 MAXVALUE 5 START 5 CYCLE OWNED BY NONE;
CREATE PUBLICATION told FOR TABLE sales.lines (id, n) WHERE (id > 0);
INSERT INTO sales.orders (day, cents) SELECT '2019-12-01'::date + n, n FROM generate_series(1, 60) n;
INSERT INTO sales.lines (order_id, day) SELECT id, day FROM sales.orders;
INSERT INTO side.child (n, m, more) VALUES (1, 2, 3); INSERT INTO side.merged VALUES (1, 1, 'a');
SELECT nextval('side.counter'); SELECT lo_create(0);
REFRESH MATERIALIZED VIEW sales.sums;
GRANT SELECT (id, day) ON sales.orders TO reader; GRANT UPDATE ON side.base TO reader WITH GRANT OPTION;
COMMENT ON TABLE sales.orders IS 'orders'; COMMENT ON COLUMN sales.orders.day IS 'when';
COMMENT ON CONSTRAINT paid ON sales.orders IS 'of no debts'; COMMENT ON INDEX sales.orders_state_idx IS 'x';
COMMENT ON TRIGGER stamped ON sales.orders IS 'y'; COMMENT ON TYPE sales.pair IS 'z';
GRANT CONNECT ON DATABASE app TO reader; REVOKE ALL ON DATABASE app FROM PUBLIC;
COMMENT ON DATABASE app IS 'the application'; ALTER DATABASE app SET work_mem = '8MB';
RESET ROLE;
ANALYZE;
"#;

/// What contrib brings, and what stands on it.
const EXTENSIONS: &str = r#"
CREATE SCHEMA ext; GRANT ALL ON SCHEMA ext TO own;
CREATE EXTENSION hstore SCHEMA ext; CREATE EXTENSION citext SCHEMA ext; CREATE EXTENSION pg_trgm;
CREATE EXTENSION tablefunc SCHEMA ext; CREATE EXTENSION btree_gist; CREATE EXTENSION postgres_fdw;
CREATE EXTENSION intarray; CREATE EXTENSION cube CASCADE; CREATE EXTENSION earthdistance;
CREATE EXTENSION lo; CREATE EXTENSION ltree; CREATE EXTENSION unaccent; CREATE EXTENSION dict_int;
COMMENT ON EXTENSION hstore IS 'ours'; ALTER ROLE reader IN DATABASE app SET work_mem = '9MB';
CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw; CREATE USER MAPPING FOR own SERVER far;
CREATE FOREIGN TABLE far_away (n int NOT NULL CHECK (n > 0)) SERVER far;
CREATE TABLE people (name ext.citext PRIMARY KEY, more ext.hstore, file lo, path ltree);
CREATE INDEX ON people USING gin (more); CREATE INDEX ON people USING gin ((name::text) gin_trgm_ops);
CREATE TRIGGER files BEFORE UPDATE OR DELETE ON people FOR EACH ROW EXECUTE FUNCTION lo_manage(file);
CREATE TEXT SEARCH CONFIGURATION plain_words (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION plain_words ALTER MAPPING FOR word WITH unaccent, simple;
GRANT EXECUTE ON FUNCTION similarity(text, text) TO reader;
ALTER TABLE people OWNER TO own; INSERT INTO people VALUES ('Ann', 'a=>1', NULL, 'x.y');
CREATE DOMAIN email AS ext.citext CHECK (VALUE ~ '@');
"#;

/// In a tablespace that other servers do not have.
const PLACED: &str = "CREATE TABLE placed (n int) TABLESPACE fast; ALTER TABLE placed OWNER TO own; \
     CREATE INDEX ON placed (n) TABLESPACE fast";

async fn restored_in_every_way(major: Major, extensions: bool) {
    let source = Cluster::start_with(Major::Fifteen, &["allow_in_place_tablespaces = on"]).await;
    source.psql("postgres", ROLES).await;
    let make = "CREATE TABLESPACE fast LOCATION ''";
    source.psql("postgres", make).await;
    source
        .psql("postgres", "GRANT CREATE ON TABLESPACE fast TO own")
        .await;
    source
        .psql("postgres", "CREATE DATABASE app OWNER own")
        .await;
    source.psql("app", APPLICATION).await;
    if extensions {
        source.psql("app", EXTENSIONS).await;
    }
    source.psql("app", PLACED).await;
    let site = Site::of(&source).await;
    site.back_up("app").await;
    let target = Cluster::start_with(major, &["allow_in_place_tablespaces = on"]).await;
    target.psql("postgres", ROLES).await;
    target.psql("postgres", make).await;
    let grant = "GRANT CREATE ON TABLESPACE fast TO own";
    target.psql("postgres", grant).await;
    let by = "CREATE ROLE maker LOGIN CREATEDB; GRANT own, staff TO maker";
    target.psql("postgres", by).await;
    let as_superuser = socket_of(&target);
    let user = target.connection("postgres").user().to_owned();
    let by_role =
        |name: &str| as_superuser.replace(&format!("user='{user}'"), &format!("user='{name}'"));
    let (maker, own) = (by_role("maker"), by_role("own"));
    let mut ways: Vec<(&str, &[&str])> = vec![
        (&as_superuser, &[]),
        (&as_superuser, &["--no-owner"]),
        (&as_superuser, &["--no-privileges"]),
        (
            &as_superuser,
            &["--no-owner", "--no-privileges", "--no-tablespaces"],
        ),
        (&as_superuser, &["--jobs", "3"]),
        (&as_superuser, &["--no-tablespaces"]),
        (&as_superuser, &["--schema", "sales", "--schema", "side"]),
        (&as_superuser, &["--schema", "side", "--no-owner"]),
        (&as_superuser, &["--table", "sales.orders"]),
        (
            &as_superuser,
            &["--table", "sales.lines", "--no-privileges"],
        ),
        (
            &as_superuser,
            &["--table", "sales.orders", "--table", "sales.shown"],
        ),
        (
            &as_superuser,
            &["--table", "public.placed", "--no-tablespaces"],
        ),
    ];
    if !extensions {
        ways.push((&own, &[]));
        ways.push((&own, &["--no-owner", "--no-privileges"]));
        ways.push((&own, &["--table", "sales.orders"]));
        ways.push((&maker, &["--no-owner", "--no-privileges"]));
        ways.push((&maker, &["--no-owner", "--no-tablespaces"]));
    }
    let mut wrong = Vec::new();
    for (at, (into, more)) in ways.iter().enumerate() {
        let name = format!("new_{at}");
        let to = ["--database", "app", "--as", &name, "--into", into];
        let ran = site.run(&restore(&[&to, *more].concat())).await;
        if ran.code() != 0 {
            wrong.push(format!("{more:?} into {into}: {}", ran.stderr));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    target.stop().await;
    source.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_of_15_on_18() {
    restored_in_every_way(Major::Eighteen, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_with_extensions_of_15_on_17() {
    restored_in_every_way(Major::Seventeen, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_with_extensions_where_it_was() {
    restored_in_every_way(Major::Fifteen, true).await;
}
