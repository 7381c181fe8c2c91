select c.oid, n.nspname::text, c.relname::text, c.relkind = 'p',
       case when c.relkind = 'p'
            then array(select t.relid::oid from pg_partition_tree(c.oid) t where t.isleaf) else array[c.oid] end
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and c.relpersistence <> 't'
  and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
order by n.nspname, c.relname
