-- A day in the library: books lent, and one that nobody missed until now.
SET search_path = public;

INSERT INTO loans
SELECT 20 * n, 10001 + n, daterange('2026-11-20', '2026-12-18'), '2026-12-18'
FROM generate_series(1, 120) AS n;
UPDATE books SET subjects = subjects || '{Vermißt}' WHERE id = 4711;
