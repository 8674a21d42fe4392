-- Calls every function whose OID stands below with values of its argument types, where only reads may run, and keeps
-- in the setting test.bad which of them got the transaction a number, an advisory lock or a lock that conflicts with
-- reads, in test.done how many gave an answer (others refuse the values). What is left on the session shows afterwards.
DO $do$
DECLARE
  call record;
  bad text := '';
  done int := 0;
BEGIN
  FOR call IN
    WITH sample (type, value) AS (VALUES
      ('int4', '3'), ('int2', '3'), ('int8', '3'), ('float4', '1.5'), ('float8', '1.5'), ('numeric', '2.5'),
      ('text', '''abc'''), ('varchar', '''abc'''), ('bpchar', '''abc'''), ('name', '''abc'''), ('char', '''a'''),
      ('bool', 'true'), ('date', '''2024-01-01'''), ('time', '''10:00'''), ('timetz', '''10:00+00'''),
      ('timestamp', '''2024-01-01 10:00'''), ('timestamptz', '''2024-01-01 10:00+00'''), ('interval', '''1 day'''),
      ('json', '''{"a":1}'''), ('jsonb', '''{"a":1}'''), ('jsonpath', '''$.a'''), ('money', '''1'''),
      ('uuid', '''00000000-0000-0000-0000-000000000001'''), ('inet', '''10.0.0.1'''), ('cidr', '''10.0.0.0/8'''),
      ('macaddr', '''08:00:2b:01:02:03'''), ('macaddr8', '''08:00:2b:01:02:03:04:05'''), ('point', '''(1,2)'''),
      ('box', '''((0,0),(1,1))'''), ('circle', '''<(0,0),1>'''), ('path', '''((0,0),(1,1))'''),
      ('polygon', '''((0,0),(1,1),(1,0))'''), ('line', '''{1,2,3}'''), ('lseg', '''[(0,0),(1,1)]'''),
      ('bytea', '''abc'''), ('bit', '''101'''), ('varbit', '''101'''), ('oid', '1259'), ('regclass', '''pg_class'''),
      ('regconfig', '''english'''), ('regdictionary', '''simple'''), ('tsvector', '''a b'''), ('tsquery', '''a & b'''),
      ('xid', '''3'''), ('xid8', '''3'''), ('cid', '''3'''), ('tid', '''(0,1)'''), ('pg_lsn', '''0/1'''),
      ('pg_snapshot', '''10:20:'''), ('txid_snapshot', '''10:20:'''), ('_text', '''{a,b}'''), ('_int4', '''{1,2}'''),
      ('int4range', '''[1,5)'''), ('int8range', '''[1,5)'''), ('numrange', '''[1,5)'''), ('oidvector', '''1 2'''),
      ('anyarray', 'ARRAY[1, 2]'), ('anyelement', '3'), ('anynonarray', '3'), ('anycompatible', '3'), ('any', '3'),
      ('anycompatiblearray', 'ARRAY[1, 2]'), ('anycompatiblenonarray', '3'), ('anyrange', 'int4range(1, 5)'),
      ('anycompatiblerange', 'int4range(1, 5)'), ('anymultirange', 'int4multirange(int4range(1, 5))'),
      ('anycompatiblemultirange', 'int4multirange(int4range(1, 5))'), ('record', 'row(1, 2)'))
    SELECT p.oid::regprocedure::text AS function,
           format('SELECT %spg_catalog.%I(%s)%s', CASE WHEN p.proretset THEN '* FROM ' END, p.proname,
                  (SELECT string_agg(CASE WHEN s.value IS NULL THEN 'NULL'
                                          WHEN t.typtype = 'p' THEN s.value
                                          ELSE format('%s::pg_catalog.%I', s.value, t.typname) END, ', ' ORDER BY n)
                     FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a (oid, n)
                     JOIN pg_type t USING (oid) LEFT JOIN sample s ON s.type = t.typname),
                  CASE WHEN p.proretset AND p.prorettype = 'record'::regtype AND p.proargmodes IS NULL
                       THEN ' AS r (a int)' END) AS sql
      FROM pg_proc p WHERE p.oid = ANY ('{@oids@}'::oid[]) AND p.prokind = 'f'
  LOOP
    BEGIN
      EXECUTE call.sql;
      done := done + 1;
    EXCEPTION WHEN OTHERS THEN
      NULL;
    END;
    IF pg_current_xact_id_if_assigned() IS NOT NULL OR EXISTS (
        SELECT FROM pg_locks WHERE pid = pg_backend_pid() AND
          (locktype = 'advisory' OR mode NOT IN ('AccessShareLock', 'ExclusiveLock'))) THEN
      bad := bad || ' ' || call.function;
    END IF;
  END LOOP;
  PERFORM set_config('test.bad', bad, false), set_config('test.done', done::text, false);
END
$do$;
