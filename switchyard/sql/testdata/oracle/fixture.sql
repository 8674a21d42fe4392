CREATE TABLE t (id int PRIMARY KEY, n numeric, s text, c char(5), v varchar(10), b boolean, d date, ts timestamp,
                tz timestamptz, i interval, j jsonb, a int[], r int4range, x xml, f float8, net inet, u uuid, by bytea,
                bits bit(4), p point, m money, tv tsvector);
CREATE TABLE u (id int PRIMARY KEY, t_id int REFERENCES t, s text, k int);
CREATE TYPE pair AS (one int, two text);
CREATE TABLE w (id int, p pair, q pair[]);
CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2';
CREATE FUNCTION of_row(t) RETURNS int LANGUAGE sql STABLE AS 'SELECT $1.id';
CREATE FUNCTION of_pair(pair) RETURNS text LANGUAGE sql STABLE AS 'SELECT $1.two';
CREATE FUNCTION rows(int) RETURNS SETOF record LANGUAGE sql STABLE AS 'SELECT 1, ''x''::text';
CREATE FUNCTION pick(VARIADIC int[]) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1[1]';
CREATE FUNCTION named(a int, b int DEFAULT 2) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a + b';
CREATE FUNCTION add_pairs(pair, pair) RETURNS pair LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE OPERATOR +@ (leftarg = pair, rightarg = pair, function = add_pairs);
CREATE OPERATOR !!! (rightarg = int, function = twice);
CREATE FUNCTION pair_of(text) RETURNS pair LANGUAGE sql IMMUTABLE AS 'SELECT ROW(1, $1)::pair';
CREATE CAST (text AS pair) WITH FUNCTION pair_of(text);
CREATE AGGREGATE last_of(int) (sfunc = int4larger, stype = int);
CREATE VIEW shown AS SELECT id, s FROM t WHERE id > 0;
