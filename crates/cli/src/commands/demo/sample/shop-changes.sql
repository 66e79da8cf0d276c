-- A day in the shop: new customers, new orders, parcels on their way, a price.
SET search_path = public;
SELECT setseed(0.5);

INSERT INTO customers (name, email, city, joined)
SELECT 'Noor de Vries', 'noor' || n || '@example.org', 'Utrecht', date '2026-11-20'
FROM generate_series(1, 12) AS n;

WITH placed AS (
    INSERT INTO orders (customer_id, placed_at, status)
    SELECT 20000 + n % 12 + 1, timestamptz '2026-11-20 08:00+00' + n * interval '2 minutes', 'placed'
    FROM generate_series(1, 250) AS n
    RETURNING id
)
INSERT INTO order_items (order_id, product_id, quantity, unit_price)
SELECT placed.id, products.id, 1, products.price
FROM placed JOIN products ON products.id = 1 + placed.id % 400;

UPDATE orders SET status = 'shipped' WHERE status = 'paid';
UPDATE products SET price = 10.90 WHERE name = 'Harbour Earl Grey';
UPDATE price_changes SET changed_at = timestamptz '2026-11-20 16:20+00' WHERE new_price = 10.90;
REFRESH MATERIALIZED VIEW revenue_by_month;
