-- Columns, their defaults, and the order they stand in.
with relations as (
    select c.oid, c.relname, n.nspname, c.relkind, c.relispartition
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'f', 'v', 'm', 'c') and c.oid >= 16384 and c.relpersistence <> 't'
), columns as (
    select a.*, r.relname, r.nspname, r.relkind, r.relispartition
    from relations r join pg_attribute a on a.attrelid = r.oid where a.attnum > 0 and not a.attisdropped
), unproven as (
    -- Such constraints exist from PostgreSQL 18 on.
    select k.conrelid, k.conkey[1] as attnum, not k.convalidated as not_valid, k.connoinherit as no_inherit
    from pg_constraint k where k.contype::text = 'n' and (not k.convalidated or k.connoinherit)
)
select 'pg_class'::regclass::oid, a.attrelid, a.attnum::int, 'column',
       array[a.nspname, a.relname, a.attname]::text[], null::text, 'pg_class'::regclass::oid, a.attrelid, 0,
       array[
         'type', format_type(a.atttypid, a.atttypmod),
         'not null', case when a.attnotnull
                     then 'yes' || case when u.not_valid then ', not valid' else '' end || case when u.no_inherit then ', no inherit' else '' end end,
         -- From PostgreSQL 17 on a partition is marked as its parent is.
         'identity', case when a.relispartition then null when a.attidentity = 'a' then 'always' when a.attidentity = 'd' then 'by default' end,
         'generated', case a.attgenerated when '' then null when 's' then 'stored ' else 'virtual ' end || pg_get_expr(d.adbin, d.adrelid),
         'collation', case when a.attcollation <> t.typcollation then a.attcollation::regcollation::text end,
         'storage', case when a.attstorage <> t.typstorage then
                    case a.attstorage when 'p' then 'plain' when 'e' then 'external' when 'm' then 'main' else 'extended' end end,
         'compression', case a.attcompression when 'p' then 'pglz' when 'l' then 'lz4' end,
         'statistics', nullif(a.attstattarget, -1)::text,
         'options', case when a.attoptions is not null then
                    (select string_agg(o, ', ' order by o collate "C") from unnest(a.attoptions) o) end,
         'server options', case when a.attfdwoptions is not null then
                    (select string_agg(o, ', ' order by o collate "C") from unnest(a.attfdwoptions) o) end,
         'inherited', case when a.attinhcount > 0 and not a.attislocal and not a.relispartition then 'yes' end
       ]::text[]
from columns a
join pg_type t on t.oid = a.atttypid
left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum and a.attgenerated <> ''
left join unproven u on u.conrelid = a.attrelid and u.attnum = a.attnum
union all
select 'pg_attrdef'::regclass::oid, d.oid, 0, case when a.attgenerated = '' then 'default' end,
       array[a.nspname, a.relname, a.attname]::text[], null, 'pg_class'::regclass::oid, a.attrelid, a.attnum::int,
       array['expression', pg_get_expr(d.adbin, d.adrelid)]
from columns a join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
union all
select 0, 0, 0, 'column order', array[r.nspname, r.relname]::text[], null, 'pg_class'::regclass::oid, r.oid, 0,
       array['columns', o.columns]
from relations r join (select a.attrelid, string_agg(quote_ident(a.attname), e'\n' order by a.attnum) as columns
                       from columns a group by a.attrelid) o on o.attrelid = r.oid
