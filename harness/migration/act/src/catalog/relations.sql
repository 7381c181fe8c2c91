-- Tables, foreign tables, views, materialised views, sequences, composite types.
select case when c.relkind = 'c' then 'pg_type'::regclass else 'pg_class'::regclass end::oid,
       case when c.relkind = 'c' then c.reltype else c.oid end, 0,
       case c.relkind when 'r' then 'table' when 'p' then 'table' when 'f' then 'foreign table' when 'v' then 'view'
                      when 'm' then 'materialized view' when 'S' then 'sequence' when 'c' then 'composite type' end,
       array[n.nspname, c.relname]::text[], null::text, 'pg_namespace'::regclass::oid, n.oid, 0,
       array[
         'persistence', case c.relpersistence when 'u' then 'unlogged' end,
         'access method', (select amname::text from pg_am where oid = c.relam and amname <> 'heap'),
         'options', case when c.reloptions is not null then
                    (select string_agg(o, ', ' order by o collate "C") from unnest(c.reloptions) o) end,
         'toast options', case when c.reltoastrelid <> 0 then
                          (select string_agg(o, ', ' order by o collate "C")
                           from pg_class t, unnest(t.reloptions) o where t.oid = c.reltoastrelid and t.reloptions is not null) end,
         'tablespace', (select spcname::text from pg_tablespace where oid = c.reltablespace and c.reltablespace <> 0),
         'partitioned by', case when c.relkind = 'p' then pg_get_partkeydef(c.oid) end,
         case when c.relispartition then 'partition of' else 'inherits' end,
         case when h.inhrelid is not null then h.parents end,
         'partition bound', case when c.relispartition then pg_get_expr(c.relpartbound, c.oid) end,
         'of type', case when c.reloftype <> 0 then format_type(c.reloftype, null) end,
         'row security', case when c.relrowsecurity then 'on' end,
         'force row security', case when c.relforcerowsecurity then 'on' end,
         'replica identity', case c.relreplident when 'f' then 'full' when 'n' then case when c.relkind in ('r', 'p') then 'nothing' end end,
         'definition', case when c.relkind in ('v', 'm') then pg_get_viewdef(c.oid) end,
         'populated', case when c.relkind = 'm' and not c.relispopulated then 'no' end,
         'server', s.srvname::text,
         'server options', case when f.ftoptions is not null then
                           (select string_agg(case when o ~* '^[^=]*(passw|secret|token|credential)' then split_part(o, '=', 1) || '=***' else o end,
                                              ', ' order by o collate "C") from unnest(f.ftoptions) o) end,
         'type', case when q.seqrelid is not null then format_type(q.seqtypid, null) end,
         'start', q.seqstart::text, 'increment', q.seqincrement::text, 'minimum', q.seqmin::text,
         'maximum', q.seqmax::text, 'cache', nullif(q.seqcache, 1)::text, 'cycle', case when q.seqcycle then 'yes' end,
         case d.deptype when 'i' then 'identity of' else 'owned by' end,
         d.refobjid::regclass::text || '.' || quote_ident((select a.attname from pg_attribute a
                                                           where a.attrelid = d.refobjid and a.attnum = d.refobjsubid))
       ]::text[]
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
left join pg_sequence q on q.seqrelid = c.oid
left join pg_depend d on c.relkind = 'S' and d.classid = 'pg_class'::regclass and d.objid = c.oid and d.objsubid = 0
                     and d.refclassid = 'pg_class'::regclass and d.refobjsubid > 0 and d.deptype in ('a', 'i')
left join pg_foreign_table f on f.ftrelid = c.oid
left join pg_foreign_server s on s.oid = f.ftserver
left join (select inhrelid, string_agg(inhparent::regclass::text, ', ' order by inhseqno) as parents
           from pg_inherits group by inhrelid) h on h.inhrelid = c.oid
where c.relkind in ('r', 'p', 'f', 'v', 'm', 'S', 'c') and c.oid >= 16384 and c.relpersistence <> 't'
union all
-- A composite type is known by its relation too.
select 'pg_class'::regclass::oid, c.oid, 0, null, null, null, 'pg_type'::regclass::oid, c.reltype, 0, null
from pg_class c where c.relkind = 'c' and c.oid >= 16384
