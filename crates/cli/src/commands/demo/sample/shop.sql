-- A web shop for tea, coffee and what belongs to them, in its third year.
-- All of it follows from the seed: every run makes the same shop.
SET search_path = public;
SELECT setseed(0.25);

CREATE TYPE order_status AS ENUM ('placed', 'paid', 'shipped', 'delivered', 'returned');

CREATE FUNCTION one_of(choices text[]) RETURNS text LANGUAGE sql VOLATILE
    AS $$ SELECT choices[1 + floor(random() * cardinality(choices))::integer] $$;

CREATE TABLE customers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    email text NOT NULL,
    city text NOT NULL,
    joined date NOT NULL,
    preferences jsonb NOT NULL DEFAULT '{}'
);
INSERT INTO customers (name, email, city, joined, preferences)
SELECT given || ' ' || family,
       lower(given || '.' || family) || n || '@' || one_of('{example.com,example.net,example.org}'),
       one_of('{Amsterdam,Antwerp,Bologna,Bristol,Copenhagen,Dublin,Galway,Ghent,Graz,Hamburg,Leeds,
                Leipzig,Lisbon,Lyon,Malmo,Marseille,Oslo,Porto,Riga,Rotterdam,Tallinn,Turin,Vienna}'),
       date '2024-02-01' + (n / 22),
       jsonb_build_object('newsletter', random() < 0.4, 'language', one_of('{de,en,fr,it,nl,pt}'),
                          'grind', one_of('{beans,coarse,medium,fine}'))
FROM (SELECT n,
             one_of('{Ada,Amelie,Anders,Bruno,Carla,Clara,Daan,Elena,Emil,Eva,Finn,Greta,Hugo,Ida,
                      Ines,Jonas,Julia,Lars,Lea,Liam,Lucia,Marta,Mila,Nora,Oscar,Paula,Rosa,Sofia}') AS given,
             one_of('{Andersen,Bakker,Bauer,Bernard,Costa,Dubois,Ferrari,Fischer,Gallo,Hansen,Janssen,
                      Keller,Klein,Larsen,Lopes,Maes,Martin,Meyer,Moretti,Murphy,Peeters,Ricci,
                      Santos,Silva,Smith,Visser,Walsh,Weber}') AS family
      FROM generate_series(1, 20000) AS n) AS people;

CREATE TABLE products (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    category text NOT NULL,
    price numeric(8,2) NOT NULL CHECK (price > 0),
    attributes jsonb NOT NULL
);
INSERT INTO products (name, category, price, attributes)
SELECT maker || ' ' || thing,
       split_part(kind, '/', 2),
       round((split_part(kind, '/', 3)::numeric * (0.7 + 0.8 * random()))::numeric) + 0.90,
       jsonb_build_object('grams', 100 + 50 * floor(random() * 40), 'organic', random() < 0.6)
FROM unnest('{Alder,Birch,Cedar,Dune,Ember,Fjord,Glen,Harbour,Isle,Juniper,Kestrel,Lark,Meadow,North,
              Orchard,Pine,Quarry,River,Slate,Tern}'::text[]) AS maker,
     unnest('{Assam/tea/9,Darjeeling/tea/14,Sencha/tea/12,Earl Grey/tea/8,Rooibos/tea/7,
              Mint Tea/tea/6,Espresso/coffee/15,Filter Roast/coffee/14,Decaf/coffee/16,
              House Blend/coffee/12,Ethiopia Sidamo/coffee/19,Teapot/pots/49,French Press/pots/39,
              Gooseneck Kettle/pots/79,Mug/cups/15,Espresso Cup/cups/12,Tumbler/cups/24,
              Hand Grinder/tools/89,Scale/tools/45,Paper Filters/tools/5}'::text[]) AS kind,
     LATERAL split_part(kind, '/', 1) AS thing;

CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL,
    placed_at timestamptz NOT NULL,
    status order_status NOT NULL,
    note text
);
INSERT INTO orders (customer_id, placed_at, status, note)
SELECT 1 + floor(20000 * sqrt(random()) * n / 60000),
       timestamptz '2024-02-01 06:00+00' + (n * interval '24 minutes') + random() * interval '20 minutes',
       CASE WHEN n > 59900 THEN 'placed' WHEN n > 59700 THEN 'paid' WHEN n > 59200 THEN 'shipped'
            WHEN random() < 0.03 THEN 'returned' ELSE 'delivered' END::order_status,
       CASE WHEN random() < 0.1 THEN one_of('{"Please ring twice.","A gift: no invoice, please.",
            "Leave it with the neighbour.","Whole beans this time!","Thank you, as always."}') END
FROM generate_series(1, 60000) AS n;

CREATE TABLE order_items (
    order_id bigint NOT NULL,
    product_id bigint NOT NULL,
    quantity integer NOT NULL CHECK (quantity > 0),
    unit_price numeric(8,2) NOT NULL
);
INSERT INTO order_items (order_id, product_id, quantity, unit_price)
SELECT picked.order_id, products.id, picked.quantity, products.price
FROM (SELECT id AS order_id,
             1 + (floor(400 * first * first)::integer + 37 * item) % 400 AS product_id,
             1 + floor(3 * random() * random())::integer AS quantity
      FROM (SELECT id, random() AS first, floor(4 * random())::integer AS more FROM orders) AS o,
           LATERAL generate_series(0, more) AS item) AS picked
JOIN products ON products.id = picked.product_id;

CREATE TABLE reviews (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    product_id bigint NOT NULL,
    customer_id bigint NOT NULL,
    stars smallint NOT NULL CHECK (stars BETWEEN 1 AND 5),
    words text NOT NULL,
    written_at timestamptz NOT NULL
);
INSERT INTO reviews (product_id, customer_id, stars, words, written_at)
SELECT 1 + floor(400 * random()), 1 + floor(20000 * random()), 5 - floor(4.2 * random() * random()),
       one_of('{"I was sceptical at first.","Bought as a present.","My third one by now.",
                "Found by chance, kept by choice.","Ordered on a rainy Sunday."}') || ' ' ||
       one_of('{"It arrived two days later, well packed, and","After a month of daily use it",
                "Compared with what I had before, it","Whatever my sister says, it",
                "For the price, it"}') || ' ' ||
       one_of('{"does exactly what it should","tastes of summer","has not left the kitchen table since",
                "is better than the pictures","makes mornings easier"}') || ': ' ||
       one_of('{"clear, round, a little sweet at the end.","nothing drips, nothing rattles.",
                "I would buy it again tomorrow.","even the lid fits.","the smell alone is worth it."}') || ' ' ||
       one_of('{"The only thing I miss is a larger size.","Service answered within the hour.",
                "One star less for the plastic.","Recommended to everybody in the office.",""}'),
       timestamptz '2024-03-01 12:00+00' + n * interval '45 minutes'
FROM generate_series(1, 30000) AS n;

DROP FUNCTION one_of(text[]);

CREATE TABLE price_changes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    product_id bigint NOT NULL REFERENCES products,
    old_price numeric(8,2) NOT NULL,
    new_price numeric(8,2) NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now()
);
CREATE FUNCTION note_price_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.price_changes (product_id, old_price, new_price)
    VALUES (NEW.id, OLD.price, NEW.price);
    RETURN NULL;
END
$$;
CREATE TRIGGER price_change AFTER UPDATE OF price ON products
    FOR EACH ROW WHEN (OLD.price <> NEW.price) EXECUTE FUNCTION note_price_change();
UPDATE products SET price = price + 1 WHERE category = 'coffee';
UPDATE price_changes SET changed_at = timestamptz '2026-09-01 05:00+00';

CREATE UNIQUE INDEX customers_email ON customers (lower(email));
CREATE INDEX orders_of_customer ON orders (customer_id, placed_at);
CREATE INDEX open_orders ON orders (placed_at) WHERE status IN ('placed', 'paid');
CREATE INDEX products_attributes ON products USING gin (attributes);
CREATE INDEX reviews_of_product ON reviews (product_id);
ALTER TABLE order_items ADD PRIMARY KEY (order_id, product_id);
ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers;
ALTER TABLE order_items ADD FOREIGN KEY (order_id) REFERENCES orders ON DELETE CASCADE,
                        ADD FOREIGN KEY (product_id) REFERENCES products;
ALTER TABLE reviews ADD FOREIGN KEY (product_id) REFERENCES products,
                    ADD FOREIGN KEY (customer_id) REFERENCES customers;

CREATE VIEW waiting_parcels AS
    SELECT o.id, c.name, c.city, o.placed_at, o.status
    FROM orders o JOIN customers c ON c.id = o.customer_id
    WHERE o.status IN ('placed', 'paid');
CREATE MATERIALIZED VIEW revenue_by_month AS
    SELECT date_trunc('month', o.placed_at AT TIME ZONE 'UTC')::date AS month, p.category,
           count(DISTINCT o.id) AS orders, sum(i.quantity * i.unit_price) AS revenue
    FROM orders o JOIN order_items i ON i.order_id = o.id JOIN products p ON p.id = i.product_id
    GROUP BY 1, 2;
COMMENT ON MATERIALIZED VIEW revenue_by_month IS 'Refreshed every night';
ANALYZE;
