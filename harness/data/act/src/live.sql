-- Objects that a migration makes or changes, each with a hash of what defines it. Partitions are left out: products make
-- them while they run.
select o.kind || ' ' || o.name, pg_catalog.md5(o.definition)
from (
    select case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence'
                when 'f' then 'foreign table' when 'i' then 'index' when 'I' then 'index' else 'table' end as kind,
           pg_catalog.format('%I.%I', n.nspname, c.relname) as name,
           coalesce((select string_agg(a.attname || ' ' || pg_catalog.format_type(a.atttypid, a.atttypmod)
                                       || ' ' || a.attnotnull::text, ',' order by a.attnum)
                     from pg_catalog.pg_attribute a
                     where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped), '')
           || coalesce((select string_agg(k.conname || ' ' || pg_catalog.pg_get_constraintdef(k.oid), ',' order by k.conname)
                        from pg_catalog.pg_constraint k where k.conrelid = c.oid), '')
           || coalesce((select string_agg(pg_catalog.pg_get_triggerdef(t.oid), ',' order by t.tgname)
                        from pg_catalog.pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal), '')
           || case when c.relkind in ('v', 'm') then pg_catalog.pg_get_viewdef(c.oid) else '' end
           || case when c.relkind in ('i', 'I') then pg_catalog.pg_get_indexdef(c.oid) else '' end as definition
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f', 'i', 'I') and not c.relispartition and c.relpersistence <> 't'
      and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
    union all
    select 'function', p.oid::pg_catalog.regprocedure::text, p.prosrc
    from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
    union all
    select 'type', pg_catalog.format('%I.%I', n.nspname, t.typname),
           coalesce((select string_agg(e.enumlabel, ',' order by e.enumsortorder)
                     from pg_catalog.pg_enum e where e.enumtypid = t.oid), '')
    from pg_catalog.pg_type t join pg_catalog.pg_namespace n on n.oid = t.typnamespace
    where t.typtype in ('e', 'd') and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
) as o
