//! Chosen tables and schemas come with what they need, and what does not come is told.

mod compared;
mod jobs;
mod scratch;
mod sql;

use pgkeep_testkit::cluster::{Cluster, Major};

use crate::site::{Ran, Site, restore};

const APP: &str = "CREATE SCHEMA sales; CREATE SCHEMA \"Ünal's\"; \
     CREATE TYPE sales.mood AS ENUM ('good', 'bad'); \
     CREATE DOMAIN sales.amount AS int CHECK (value > 0); \
     CREATE FUNCTION public.hidden(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1'; \
     CREATE FUNCTION sales.checked(int) RETURNS int LANGUAGE sql IMMUTABLE \
         AS 'SELECT public.hidden($1)'; \
     CREATE TABLE sales.customers (id serial PRIMARY KEY, name text); \
     INSERT INTO sales.customers (name) SELECT 'c' FROM generate_series(1, 50); \
     CREATE TABLE sales.orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, \
         customer int REFERENCES sales.customers, mood sales.mood, \
         amount sales.amount CHECK (sales.checked(amount) > 0), previous int REFERENCES sales.orders); \
     INSERT INTO sales.orders (customer, mood, amount) SELECT i % 50 + 1, 'good', i \
         FROM generate_series(1, 1234) i; \
     CREATE INDEX by_customer ON sales.orders (sales.checked(customer)); \
     CREATE STATISTICS sales.some ON customer, amount FROM sales.orders; \
     CREATE FUNCTION sales.noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'; \
     CREATE TRIGGER noted BEFORE INSERT ON sales.orders FOR EACH ROW \
         EXECUTE FUNCTION sales.noted(); \
     ALTER TABLE sales.orders ENABLE ROW LEVEL SECURITY; \
     CREATE POLICY own ON sales.orders USING (amount > 7); \
     CREATE POLICY others ON sales.orders USING (customer IN (SELECT id FROM sales.customers)); \
     COMMENT ON TABLE sales.orders IS 'what was ordered'; \
     COMMENT ON COLUMN sales.orders.mood IS 'of the customer'; \
     GRANT SELECT ON sales.orders TO reader; GRANT UPDATE (mood) ON sales.orders TO reader; \
     CREATE VIEW sales.rich AS SELECT id, name FROM sales.customers GROUP BY id; \
     CREATE TABLE parts (n int PRIMARY KEY, x int) PARTITION BY RANGE (n); \
     CREATE TABLE part_a PARTITION OF parts FOR VALUES FROM (0) TO (100); \
     CREATE TABLE part_b PARTITION OF parts FOR VALUES FROM (100) TO (200); \
     CREATE INDEX ON parts (x); INSERT INTO parts SELECT i, i FROM generate_series(50, 149) i; \
     CREATE TABLE base (a int PRIMARY KEY); CREATE TABLE heir (b int) INHERITS (base); \
     INSERT INTO base VALUES (1); INSERT INTO heir VALUES (2, 3); \
     CREATE TABLE refers (a int REFERENCES base); INSERT INTO refers VALUES (1); \
     CREATE TABLE \"Ünal's\".\"a b.c\" (n int); INSERT INTO \"Ünal's\".\"a b.c\" VALUES (1), (2); \
     CREATE TABLE zz_last AS SELECT generate_series(1, 100000) AS n; \
     CREATE TABLE customers (n int); SELECT lo_create(4711); ";

pub(crate) async fn source(major: Major) -> (Cluster, Site) {
    let cluster = Cluster::start(major).await;
    cluster.psql("postgres", "CREATE ROLE reader").await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    cluster.psql("app", APP).await;
    let site = Site::of(&cluster).await;
    site.back_up("app").await;
    (cluster, site)
}

async fn restored(site: &Site, more: &[&str]) -> Ran {
    let to = ["--database", "app", "--as", "new"];
    site.run(&restore(&[&to, more].concat())).await
}

/// All that somebody sees of the table `sales.orders`, but foreign keys.
pub(crate) async fn orders(cluster: &Cluster, database: &str) -> String {
    let query = "SELECT count(*), sum(amount), max(id) FROM sales.orders; \
         SELECT indexdef FROM pg_indexes WHERE tablename = 'orders' ORDER BY 1; \
         SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint \
             WHERE conrelid = 'sales.orders'::regclass AND contype <> 'f' ORDER BY 1; \
         SELECT tgname FROM pg_trigger WHERE tgrelid = 'sales.orders'::regclass \
             AND NOT tgisinternal; \
         SELECT stxname FROM pg_statistic_ext; \
         SELECT relrowsecurity, relacl, obj_description(oid, 'pg_class') FROM pg_class \
             WHERE oid = 'sales.orders'::regclass; \
         SELECT attname, atttypid::regtype, attidentity, attacl, col_description(attrelid, attnum) \
             FROM pg_attribute WHERE attrelid = 'sales.orders'::regclass AND attnum > 0; \
         SELECT last_value FROM sales.orders_id_seq;";
    cluster.psql(database, query).await
}

async fn tables(cluster: &Cluster) -> String {
    let query = "SELECT oid::regclass FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm') \
         AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) \
         ORDER BY oid::regclass::text";
    let tables = cluster.psql("new", query).await;
    tables.lines().collect::<Vec<_>>().join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_comes_with_all_that_belongs_to_it_and_nothing_else() {
    for major in Major::ALL {
        let (cluster, site) = source(major).await;
        let ran = restored(&site, &["--table", "sales.orders"]).await.ended(0);
        let ran = ran.says(&[
            "restore of sales.orders of \"app\"",
            "left out: fk constraint sales.orders orders_customer_fkey, which needs \
             the rows of sales.customers",
            "left out: policy sales.orders others, which needs sales.customers",
            "left out: large objects",
        ]);
        assert!(!ran.stderr.contains("previous"), "{ran:?}");
        assert_eq!(orders(&cluster, "new").await, orders(&cluster, "app").await);
        assert_eq!(tables(&cluster).await, "sales.orders", "{major:?}");
        let own = "SELECT conname FROM pg_constraint WHERE contype = 'f'; \
             SELECT polname FROM pg_policy; INSERT INTO sales.orders (amount) VALUES (1) \
             RETURNING id";
        let own = cluster.psql("new", own).await;
        assert_eq!(own, "orders_previous_fkey\nown\n1235\n");
        cluster.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_chosen_is_told_by_the_name_that_sql_has_for_it() {
    let (cluster, site) = source(Major::Fifteen).await;
    let weird = "CREATE TABLE \"Weird.Table \"\"q\"\"\" (n int); \
         CREATE PUBLICATION pb FOR TABLE sales.orders";
    cluster.psql("app", weird).await;
    site.back_up("app").await;
    let dry = |name: &'static str| ["--table", name, "--dry-run"];
    let ran = restored(&site, &dry("sales.orders_id_seq")).await.ended(0);
    assert!(ran.stdout.contains("sales.orders_id_seq"), "{ran:?}");
    let ran = restored(&site, &["--table", "sales.orders_id_seq"]).await;
    ran.ended(0)
        .says(&["START restore of sales.orders_id_seq of \"app\""]);
    cluster.psql("postgres", "DROP DATABASE new").await;
    let ran = restored(&site, &dry("Weird.Table \"q\"")).await.ended(0);
    let told = "public.\"Weird.Table \"\"q\"\"\"";
    assert!(ran.stdout.contains(told), "{ran:?}");
    let ran = restored(&site, &dry("sales.orders")).await.ended(0);
    let told = "publication table pb orders of schema sales";
    assert!(ran.stdout.contains(told), "{ran:?}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_table_that_it_refers_to_the_foreign_key_comes_too() {
    let (cluster, site) = source(Major::Fifteen).await;
    let both = ["--table", "sales.orders", "--table", "sales.customers"];
    let ran = restored(&site, &both).await.ended(0);
    assert!(!ran.stderr.contains("constraint"), "{ran:?}");
    let keys = "SELECT count(*) FROM pg_constraint WHERE contype = 'f'; \
         SELECT count(*) FROM pg_policy; \
         INSERT INTO sales.customers (name) VALUES ('x') RETURNING id";
    assert_eq!(cluster.psql("new", keys).await, "2\n2\n51\n");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partitioned_table_has_its_partitions_and_a_partition_its_parent_without_rows() {
    for major in Major::ALL {
        let (cluster, site) = source(major).await;
        let ran = restored(&site, &["--table", "parts", "--table", "base"]).await;
        ran.ended(0);
        assert_eq!(tables(&cluster).await, "base heir part_a part_b parts");
        let count = "SELECT count(*) FROM parts; SELECT count(*) FROM base; \
             SELECT count(*) FROM pg_inherits";
        assert_eq!(cluster.psql("new", count).await, "100\n2\n7\n");

        cluster.psql("postgres", "DROP DATABASE new").await;
        let ran = restored(&site, &["--table", "part_a"]).await.ended(0);
        ran.says(&["without rows, since others need the definitions alone: public.parts"]);
        assert_eq!(tables(&cluster).await, "part_a parts");
        assert_eq!(
            cluster.psql("new", "SELECT count(*) FROM parts").await,
            "50\n"
        );
        cluster.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_comes_whole_and_a_name_is_taken_as_it_is() {
    for major in Major::ALL {
        let (cluster, site) = source(major).await;
        let ran = restored(
            &site,
            &["--schema", "sales", "--table", "\"Ünal's\".\"a b.c\""],
        );
        let ran = ran.await.ended(0);
        assert!(!ran.stderr.contains("constraint"), "{ran:?}");
        for table in ["sales.customers", "sales.orders", "sales.rich", "\"a b.c\""] {
            assert!(tables(&cluster).await.contains(table), "{table}");
        }
        assert_eq!(orders(&cluster, "new").await, orders(&cluster, "app").await);
        let count = "SELECT count(*) FROM sales.rich; SELECT count(*) FROM \"Ünal's\".\"a b.c\"";
        assert_eq!(cluster.psql("new", count).await, "50\n2\n");
        cluster.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_named_and_is_not_there_is_an_error_before_anything_is_touched() {
    let (cluster, site) = source(Major::Fifteen).await;
    let databases = "SELECT string_agg(datname, ' ' ORDER BY 1) FROM pg_database";
    let before = cluster.psql("postgres", databases).await;
    let wrong: [(&[&str], i32, &[&str]); 7] = [
        (
            &["--table", "sales.odrers"],
            4,
            &["has no table \"sales.odrers\"", "sales.orders"],
        ),
        (
            &["--table", "Orders"],
            4,
            &["has no table \"Orders\"", "sales.orders"],
        ),
        (
            &["--schema", "sale"],
            4,
            &["nothing in a schema \"sale\"", "sales"],
        ),
        (
            &["--table", "sales.rich"],
            4,
            &["needs what was not chosen: sales.customers"],
        ),
        (&["--table", "by_customer"], 4, &["has no table"]),
        (
            &["--table", "parts", "--replace"],
            2,
            &["cannot be used with"],
        ),
        (
            &["--table", "parts", "--as", "app"],
            1,
            &["exists already", "into a new database"],
        ),
    ];
    for (arguments, code, words) in wrong {
        let all = [&["--database", "app"], arguments].concat();
        site.run(&restore(&all)).await.ended(code).says(words);
    }
    let several = ["--table", "customers", "--dry-run"];
    let ran = restored(&site, &several).await.ended(4);
    ran.says(&["in several schemas", "public.customers", "sales.customers"]);
    assert_eq!(cluster.psql("postgres", databases).await, before);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plan_tells_the_parts() {
    let (cluster, site) = source(Major::Fifteen).await;
    let ran = restored(&site, &["--table", "sales.orders", "--dry-run"]).await;
    let ran = ran.ended(0);
    for words in [
        "chosen      sales.orders\n",
        "left out    fk constraint sales.orders orders_customer_fkey",
        "1234 rows in 1 table, 1 sequence\n",
    ] {
        assert!(ran.stdout.contains(words), "{words:?} is not in {ran:#?}");
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_did_not_all_come_are_an_error() {
    let (cluster, mut site) = source(Major::Fifteen).await;
    let real = Major::Fifteen.programs().display().to_string();
    let harm = "DELETE FROM sales.orders WHERE id = 7";
    let script = format!("{real}/pg_restore \"$@\" && {real}/psql -qc \"{harm}\"");
    crate::contents::with_program(&mut site, "pg_restore", &script);
    let ran = restored(&site, &["--table", "sales.orders"]).await.ended(1);
    ran.says(&["table \"sales\".\"orders\" has 1233 rows, not 1234"]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_whose_rows_were_not_backed_up_is_told_and_one_that_was_not_is_not_there() {
    let (cluster, site) = source(Major::Fifteen).await;
    let chosen = "[cluster.main.dump]\ntable_data = { exclude = [\"zz_last\"] }\n\
         tables = { exclude = [\"base\", \"heir\"] }\n";
    let file = site.path("pgkeep.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}\n{chosen}")).unwrap();
    site.back_up("app").await;
    let words = "left out: the rows of public.zz_last, which the backup does not have";
    let ran = restored(&site, &["--table", "zz_last"]).await.ended(0);
    ran.says(&[words]);
    let sql = ["--database", "app", "--to-file", "x.sql", "--format", "sql"];
    let sql = restore(&[&sql[..], &["--table", "zz_last"]].concat());
    site.run(&sql).await.ended(0).says(&[words]);
    let ran = restored(&site, &["--table", "base", "--dry-run"]).await;
    ran.ended(4).says(&["has no table \"base\""]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_key_to_a_table_that_comes_without_rows_is_left_out() {
    let (cluster, site) = source(Major::Fifteen).await;
    let ran = restored(&site, &["--table", "heir", "--table", "refers"]).await;
    ran.ended(0).says(&[
        "without rows, since others need the definitions alone: public.base",
        "left out: fk constraint public.refers refers_a_fkey, which needs the rows of public.base",
    ]);
    let count = "SELECT count(*) FROM refers; SELECT count(*) FROM base";
    assert_eq!(cluster.psql("new", count).await, "1\n1\n");
    cluster.stop().await;
}
