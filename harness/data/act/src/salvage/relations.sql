select n.nspname::text, c.relname::text, c.relkind = 'p',
       array(select a.attname::text from pg_attribute a
             where a.attrelid = c.oid and a.attnum = any(k.indkey::int2[]) order by array_position(k.indkey::int2[], a.attnum)),
       array(select t.tgname::text from pg_trigger t
             where t.tgrelid = c.oid and not t.tgisinternal and t.tgenabled in ('O', 'A') and t.tgtype & 4 <> 0 order by 1),
       c.oid
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
left join lateral (
    select i.indkey from pg_index i
    where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indimmediate and i.indpred is null and i.indexprs is null
          and not exists (select from pg_attribute a where a.attrelid = c.oid and not a.attnotnull
                                and a.attnum = any((i.indkey::int2[])[0:i.indnkeyatts - 1]))
          and i.indnkeyatts = i.indnatts
    order by i.indisprimary desc, i.indnkeyatts, i.indexrelid limit 1) k on true
where c.relkind in ('r', 'p') and c.relpersistence <> 't' and not c.relispartition
  and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
  and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
order by 1, 2
