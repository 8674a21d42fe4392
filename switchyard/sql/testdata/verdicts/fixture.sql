-- An application's schema, and beside it what an application's statements can run into.

CREATE TABLE customer (id bigint PRIMARY KEY, name text NOT NULL, email text, created timestamptz DEFAULT now(),
  tags text[], attributes jsonb, balance numeric(12, 2), active boolean DEFAULT true, code uuid);
CREATE TYPE order_state AS ENUM ('new', 'paid', 'sent');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE orders (id bigserial PRIMARY KEY, customer bigint REFERENCES customer, state order_state, placed date,
  amount numeric, quantity positive, note varchar(80));
CREATE INDEX ON orders (lower(note));
CREATE TYPE money_amount AS (amount numeric, currency text);
CREATE TABLE invoice (id int PRIMARY KEY, total money_amount, period daterange);
CREATE TABLE event (id bigint, at timestamptz NOT NULL, kind text) PARTITION BY RANGE (at);
CREATE TABLE event_2024 PARTITION OF event FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE event_later PARTITION OF event DEFAULT;
CREATE TABLE base (id int);
CREATE TABLE derived (extra text) INHERITS (base);
CREATE UNLOGGED TABLE scratch (id int, value text);
CREATE VIEW active_customer AS SELECT id, name, lower(email) AS email FROM customer WHERE active;
CREATE VIEW recent_order AS SELECT o.*, c.name, rank() OVER (PARTITION BY customer ORDER BY placed DESC) AS place
  FROM orders o JOIN active_customer c ON c.id = o.customer WHERE placed > current_date - 30;
CREATE VIEW totals AS SELECT customer, sum(amount) AS total, count(*) FILTER (WHERE state = 'paid') AS paid,
  coalesce(max(placed), '2000-01-01') AS latest, array_agg(DISTINCT state) AS states, json_agg(note) AS notes
  FROM orders GROUP BY customer HAVING count(*) > 0;
CREATE VIEW numbered AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10)
  SELECT i, CASE WHEN i % 2 = 0 THEN 'even' ELSE 'odd' END AS parity, greatest(i, 5) AS top, (ROW(i, 2) = ROW(1, 2)) AS row_equal,
    nullif(i, 3) AS not_three, ARRAY[i, i + 1] AS both, i BETWEEN 2 AND 4 AS middle, i IN (1, 2, 3) AS first,
    i::text || 'x' AS text, (ARRAY[1, 2, 3])[i] AS element, EXISTS (SELECT FROM base) AS any_base,
    i IS DISTINCT FROM 2 AS distinct_from, current_user AS who,
    (i, 1) < (2, 3) AS row_less, i = ANY (ARRAY[1, 2]) AS any, NOT (i > 1 AND i < 3) AS negated,
    'a' COLLATE "C" < 'b' AS collated, (i > 1) IS TRUE AS truth FROM n;
CREATE VIEW grouped AS SELECT kind, date_trunc('day', at) AS day, count(*), grouping(kind) AS g
  FROM event GROUP BY GROUPING SETS ((kind), (date_trunc('day', at)), ());
CREATE VIEW sampled AS SELECT * FROM customer TABLESAMPLE bernoulli (10);
CREATE VIEW numbers AS SELECT * FROM generate_series(1, 3) WITH ORDINALITY AS g (value, place), LATERAL unnest(ARRAY[1]) u;
CREATE MATERIALIZED VIEW customer_report AS SELECT id, name FROM customer;
CREATE TYPE plain_range AS RANGE (SUBTYPE = float8);
CREATE TABLE plain_range_table (id int, s plain_range);
CREATE TABLE tenant_data (id int, tenant text, value text);
ALTER TABLE tenant_data ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON tenant_data USING (tenant = current_user);
CREATE TABLE team_data (id int, team int);
ALTER TABLE team_data ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_team ON team_data USING (team IN (SELECT id FROM base));
INSERT INTO customer VALUES (1, 'Ada', 'Ada@example', '2024-03-01', '{a,b}', '{"a": {"b": 1}}', 10.5, true, NULL),
  (2, 'Bo', NULL, '2024-04-01', NULL, NULL, NULL, false, '00000000-0000-0000-0000-000000000001');
INSERT INTO orders VALUES (1, 1, 'new', '2024-03-02', 12.5, 4, 'first'), (2, 1, 'paid', '2024-03-03', 150, 1, NULL);
INSERT INTO invoice VALUES (1, (10, 'EUR'), '[2024-01-01,2024-06-01)');
INSERT INTO event VALUES (1, '2024-05-01', 'a'), (2, '2030-01-01', 'b');
INSERT INTO base VALUES (1), (2);
INSERT INTO derived VALUES (3, 'x');
INSERT INTO tenant_data VALUES (1, current_user, 'x');
INSERT INTO plain_range_table VALUES (1, '[1,2]');
CREATE COLLATION german (provider = libc, locale = 'C');

-- Functions that leave something behind, in every place where one can hide.
CREATE SCHEMA app;
CREATE SEQUENCE app.counter;
CREATE FUNCTION app.next_number() RETURNS bigint LANGUAGE sql AS $$ SELECT nextval('app.counter') $$;
CREATE FUNCTION app.sneaky(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN PERFORM set_config('app.x', $1::text, false); RETURN $1; END $$;
CREATE FUNCTION app.locks(int) RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT pg_try_advisory_lock($1) $$;
CREATE FUNCTION app.harmless(int) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT $1 + 1 $$;
CREATE FUNCTION app.full_name(customer) RETURNS text LANGUAGE sql STABLE AS $$ SELECT set_config('app.y', $1.name, false) $$;
CREATE FUNCTION public.display(customer) RETURNS text LANGUAGE sql STABLE AS $$ SELECT set_config('app.y', $1.name, false) $$;
CREATE FUNCTION public.twice(int) RETURNS int LANGUAGE plpgsql STABLE AS
  $$ BEGIN PERFORM pg_advisory_lock(1); RETURN 2 * $1; END $$;
CREATE AGGREGATE app.collect(int) (SFUNC = int4pl, STYPE = int);
CREATE FUNCTION app.rows() RETURNS SETOF int LANGUAGE sql AS $$ SELECT app.sneaky(1) $$;
-- Named like built-in ones.
CREATE FUNCTION public.initcap(int) RETURNS text LANGUAGE sql AS $$ SELECT set_config('a.b', 'c', false) $$;
CREATE FUNCTION public.reverse(order_state) RETURNS text LANGUAGE sql AS $$ SELECT set_config('a.b', 'c', false) $$;
CREATE FUNCTION public.md5(order_state) RETURNS text LANGUAGE sql AS $$ SELECT set_config('a.b', 'c', false) $$;
CREATE FUNCTION public.left(order_state, bigint) RETURNS text LANGUAGE sql AS $$ SELECT set_config('a.b', 'c', false) $$;
CREATE FUNCTION public.strpos(value order_state, part order_state) RETURNS text LANGUAGE sql AS $$ SELECT set_config('a.b', 'c', false) $$;
-- Operators.
CREATE FUNCTION app.compare(text, int) RETURNS boolean LANGUAGE plpgsql STABLE AS
  $$ BEGIN PERFORM set_config('app.z', $1, false); RETURN true; END $$;
CREATE OPERATOR app.=== (LEFTARG = text, RIGHTARG = int, FUNCTION = app.compare);
CREATE FUNCTION app.minus_states(order_state, order_state) RETURNS int LANGUAGE plpgsql STABLE AS
  $$ BEGIN PERFORM pg_advisory_lock(2); RETURN 1; END $$;
CREATE OPERATOR public.- (LEFTARG = order_state, RIGHTARG = order_state, FUNCTION = app.minus_states);
CREATE FUNCTION app.matches(text, text) RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT pg_try_advisory_lock(3) $$;
CREATE OPERATOR public.~* (LEFTARG = text, RIGHTARG = text, FUNCTION = app.matches);
CREATE OPERATOR app.||| (LEFTARG = int, RIGHTARG = int, FUNCTION = int4pl);
-- Types.
CREATE FUNCTION app.valid(text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN PERFORM set_config('app.d', $1, false); RETURN true; END $$;
CREATE DOMAIN app.checked AS text CHECK (app.valid(VALUE));
CREATE DOMAIN app.above AS app.checked;
CREATE TABLE checked_table (id int, value app.checked);
CREATE TABLE above_array (id int, items app.above[]);
CREATE TYPE app.pair AS (a int, b app.checked);
CREATE TABLE pair_table (id int, p app.pair);
CREATE TYPE app.casted AS (x int);
CREATE FUNCTION app.to_text(app.casted) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT set_config('app.c', 'x', false) $$;
CREATE CAST (app.casted AS text) WITH FUNCTION app.to_text(app.casted);
CREATE TABLE casted_table (id int, c app.casted);
CREATE TYPE app.listed AS ENUM ('x');
CREATE FUNCTION app.to_text(app.listed[]) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT set_config('app.c', 'x', false) $$;
CREATE CAST (app.listed[] AS text) WITH FUNCTION app.to_text(app.listed[]);
CREATE TABLE listed_table (id int, l app.listed);
CREATE TYPE app.colour AS ENUM ('red', 'green');
CREATE CAST (varchar AS app.colour) WITH INOUT AS IMPLICIT;
CREATE TABLE paint (id int, colour app.colour);
CREATE FUNCTION app.difference(float8, float8) RETURNS float8 LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN PERFORM set_config('app.r', 'x', false); RETURN $2 - $1; END $$;
CREATE TYPE app.span AS RANGE (SUBTYPE = float8, SUBTYPE_DIFF = app.difference);
CREATE TABLE span_table (id int, s app.span);
-- Views and policies.
CREATE VIEW counting AS SELECT app.next_number() AS number;
CREATE VIEW over_counting AS SELECT number + 1 AS number FROM counting;
CREATE VIEW sleeping AS SELECT pg_sleep(0) IS NULL AS slept FROM base;
CREATE VIEW operators AS SELECT 'a' OPERATOR(app.===) 1 AS same;
CREATE VIEW casting AS SELECT c::text AS c FROM casted_table;
CREATE VIEW domains AS SELECT name::app.checked AS name FROM customer;
CREATE VIEW locking AS SELECT id FROM customer FOR UPDATE;
CREATE VIEW sequences AS SELECT last_value FROM app.counter;
CREATE VIEW settings AS SELECT current_setting('app.x', true) AS x;
CREATE VIEW transactions AS SELECT txid_current() AS id;
CREATE VIEW aggregated AS SELECT app.collect(id) AS ids FROM base;
CREATE VIEW used_field AS SELECT c.full_name FROM app.full_name((SELECT c FROM customer c LIMIT 1)) AS c (full_name);
CREATE TABLE guarded (id int);
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY guard ON guarded USING (app.locks(id));
CREATE TABLE guarded_by_setting (id int, owner text);
ALTER TABLE guarded_by_setting ENABLE ROW LEVEL SECURITY;
CREATE POLICY guard ON guarded_by_setting FOR SELECT USING (owner = current_setting('app.user'));
CREATE TABLE guarded_writes (id int);
ALTER TABLE guarded_writes ENABLE ROW LEVEL SECURITY;
CREATE POLICY guard ON guarded_writes FOR INSERT WITH CHECK (app.locks(id));
CREATE TABLE not_guarded (id int);
CREATE POLICY guard ON not_guarded USING (app.locks(id));
CREATE VIEW through_guarded AS SELECT * FROM guarded;
CREATE TABLE guarded_parent (id int) PARTITION BY LIST (id);
CREATE TABLE guarded_child PARTITION OF guarded_parent DEFAULT;
ALTER TABLE guarded_child ENABLE ROW LEVEL SECURITY;
CREATE POLICY guard ON guarded_child USING (app.locks(id));
-- Tables.
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER elsewhere FOREIGN DATA WRAPPER nowhere;
CREATE FOREIGN TABLE remote (id int) SERVER elsewhere;
CREATE TABLE partly_remote (id int) PARTITION BY LIST (id);
CREATE FOREIGN TABLE remote_part PARTITION OF partly_remote FOR VALUES IN (1) SERVER elsewhere;
CREATE TABLE indexed (id int);
CREATE INDEX ON indexed (app.sneaky(id));
CREATE TABLE partly_indexed (id int);
CREATE INDEX ON partly_indexed (id) WHERE app.sneaky(1) = 1;
CREATE TABLE checked_rows (id int CHECK (app.sneaky(id) > 0));
CREATE TABLE partitioned_by (id int) PARTITION BY RANGE (app.sneaky(id));
CREATE TABLE part_of_it PARTITION OF partitioned_by FOR VALUES FROM (1) TO (2) PARTITION BY LIST (id);
CREATE TABLE part_of_part PARTITION OF part_of_it DEFAULT;
CREATE TABLE statistics_of (a int, b int);
CREATE STATISTICS statistics_of_both ON (app.sneaky(a)), b FROM statistics_of;
CREATE FUNCTION app.compare_ints(int, int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN PERFORM set_config('app.i', 'x', false); RETURN btint4cmp($1, $2); END $$;
CREATE OPERATOR CLASS app.odd_order FOR TYPE int USING btree AS
  OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 app.compare_ints(int, int);
CREATE TABLE odd_index (id int);
CREATE INDEX ON odd_index (id app.odd_order);
-- The same names in two schemas, one of them harmless.
CREATE TABLE app.customer (id int);
CREATE TABLE ambiguous (id int);
CREATE VIEW app.ambiguous AS SELECT app.sneaky(1) AS id;
CREATE TABLE app.product (id int, price numeric);
CREATE TABLE "Mixed Case" (id int);
