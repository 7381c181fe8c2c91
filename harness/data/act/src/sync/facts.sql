select c.oid, n.nspname::text, c.relname::text,
       (pg_relation_size(c.oid) / current_setting('block_size')::int8)::int8,
       pg_table_size(c.oid)::int8,
       coalesce(c.relam = (select oid from pg_am where amname = 'heap'), false),
       (select nullif(e.extcondition[array_position(e.extconfig, c.oid)], '')
        from pg_depend d join pg_extension e on e.oid = d.refobjid
        where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
              and d.refclassid = 'pg_extension'::regclass),
       c.reltuples::float8,
       coalesce((select array(select a.attname::text from unnest(i.indkey::int2[]) with ordinality k(num, at)
                              join pg_attribute a on a.attrelid = c.oid and a.attnum = k.num
                              where k.at <= i.indnkeyatts order by k.at)
                 from pg_index i
                 where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indimmediate and not i.indisexclusion
                       and i.indpred is null and i.indexprs is null
                       and not exists (select from unnest(i.indkey::int2[]) with ordinality k(num, at)
                                       join pg_attribute a on a.attrelid = c.oid and a.attnum = k.num
                                       where k.at <= i.indnkeyatts and not a.attnotnull)
                 order by i.indisprimary desc, i.indnkeyatts, i.indexrelid limit 1), '{}'),
       array(with recursive up(oid, level) as (
                 select i.inhparent, 1 from pg_inherits i where i.inhrelid = c.oid and c.relispartition
                 union all
                 select i.inhparent, level + 1 from up join pg_inherits i on i.inhrelid = up.oid)
             select s.nspname || '.' || p.relname from up join pg_class p on p.oid = up.oid
             join pg_namespace s on s.oid = p.relnamespace order by level)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and c.relpersistence <> 't'
  and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
  and not exists (
      select from pg_depend d join pg_extension e on e.oid = d.refobjid
      where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
            and not coalesce(c.oid = any(e.extconfig), false))
order by n.nspname, c.relname
