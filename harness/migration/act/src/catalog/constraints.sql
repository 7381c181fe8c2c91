-- Constraints of tables and domains, indexes, statistics objects.
-- NOT NULL is told with its column or domain: it is a constraint of its own from PostgreSQL 18 on only.
with tables as (
    select c.oid, n.nspname, c.relname, c.relkind, c.relispartition
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'f', 'm') and c.oid >= 16384 and c.relpersistence <> 't'
), indexes as (
    select i.*, c.relname, n.nspname, c.reltablespace, c.relkind, c.reloptions, p.inhparent
    from pg_index i
    join pg_class c on c.oid = i.indexrelid
    join pg_namespace n on n.oid = c.relnamespace
    left join pg_inherits p on p.inhrelid = i.indexrelid
    where i.indrelid >= 16384 and n.nspname !~ '^pg_toast'
), backed as (
    select conindid, oid from pg_constraint where contype in ('p', 'u', 'x') and conindid <> 0
)
select 'pg_constraint'::regclass::oid, k.oid, 0, 'constraint',
       array[t.nspname, t.relname, k.conname]::text[], null::text, 'pg_class'::regclass::oid, t.oid, 0,
       array[
         'definition', pg_get_constraintdef(k.oid),
         'inherited', case when k.conparentid <> 0 or (k.coninhcount > 0 and (t.relispartition or not k.conislocal)) then 'yes' end,
         'index options', case when i.reloptions is not null then
                          (select string_agg(o, ', ' order by o collate "C") from unnest(i.reloptions) o) end,
         'index tablespace', (select spcname::text from pg_tablespace where oid = i.reltablespace and i.reltablespace <> 0),
         'index invalid', case when i.indexrelid is not null and not i.indisvalid then 'yes' end,
         'clustered', case when i.indisclustered then 'yes' end,
         'replica identity', case when i.indisreplident then 'yes' end,
         'enforcement', case when k.contype = 'f' then
                        (select string_agg(distinct g.tgenabled::text, '') from pg_trigger g
                         where g.tgconstraint = k.oid and g.tgenabled <> 'O') end
       ]::text[]
from pg_constraint k
join tables t on t.oid = k.conrelid
left join pg_constraint up on up.oid = k.conparentid and k.conparentid <> 0
left join indexes i on i.indexrelid = k.conindid and k.contype in ('p', 'u', 'x')
where k.contype::text not in ('n', 't') and (up.oid is null or up.conrelid <> k.conrelid)
union all
select 'pg_constraint'::regclass::oid, k.oid, 0, 'constraint', array[n.nspname, t.typname, k.conname]::text[], null,
       'pg_type'::regclass::oid, t.oid, 0, array['definition', pg_get_constraintdef(k.oid)]
from pg_constraint k join pg_type t on t.oid = k.contypid join pg_namespace n on n.oid = t.typnamespace
where k.contypid >= 16384 and k.contype::text <> 'n'
union all
-- What is told with something else: NOT NULL, constraint triggers, the rows of a foreign key for each partition.
select 'pg_constraint'::regclass::oid, k.oid, 0, null, null, null,
       case when k.conrelid <> 0 then 'pg_class' else 'pg_type' end::regclass::oid,
       case when k.conrelid <> 0 then k.conrelid else k.contypid end,
       case when k.contype::text = 'n' and k.conrelid <> 0 then k.conkey[1]::int else 0 end, null
from pg_constraint k left join pg_constraint up on up.oid = k.conparentid and k.conparentid <> 0
where k.oid >= 16384 and (k.contype::text in ('n', 't') or up.conrelid = k.conrelid)
union all
select 'pg_class'::regclass::oid, i.indexrelid, 0, null, null, null, 'pg_constraint'::regclass::oid, b.oid, 0, null
from indexes i join backed b on b.conindid = i.indexrelid
union all
select 'pg_class'::regclass::oid, i.indexrelid, 0, 'index', array[i.nspname, i.relname]::text[], null,
       'pg_class'::regclass::oid, t.oid, 0,
       array[
         'unique', case when i.indisunique then 'yes' end,
         'definition', substr(pg_get_indexdef(i.indexrelid), 1 + length(
             'CREATE ' || case when i.indisunique then 'UNIQUE ' else '' end || 'INDEX ' || quote_ident(i.relname)
             || ' ON ' || case when i.relkind = 'I' then 'ONLY ' else '' end || quote_ident(t.nspname) || '.' || quote_ident(t.relname) || ' ')),
         'invalid', case when not i.indisvalid then 'yes' end,
         'clustered', case when i.indisclustered then 'yes' end,
         'replica identity', case when i.indisreplident then 'yes' end,
         'tablespace', (select spcname::text from pg_tablespace where oid = i.reltablespace and i.reltablespace <> 0),
         'inherits', i.inhparent::regclass::text,
         'statistics', (select string_agg(a.attnum || '=' || a.attstattarget, ', ' order by a.attnum)
                        from pg_attribute a where a.attrelid = i.indexrelid and a.attstattarget >= 0)
       ]::text[]
from indexes i join tables t on t.oid = i.indrelid left join backed b on b.conindid = i.indexrelid
where b.oid is null
union all
select 'pg_statistic_ext'::regclass::oid, s.oid, 0, 'statistics', array[n.nspname, s.stxname]::text[], null,
       'pg_class'::regclass::oid, s.stxrelid, 0,
       array['definition', substr(pg_get_statisticsobjdef(s.oid),
                                  length('CREATE STATISTICS ' || quote_ident(n.nspname) || '.' || quote_ident(s.stxname) || ' ') + 1),
             'target', nullif(s.stxstattarget, -1)::text]
from pg_statistic_ext s join pg_namespace n on n.oid = s.stxnamespace
