select k.conrelid, fn.nspname || '.' || fc.relname, array_agg(own.attname::text order by u.place),
       array_agg(other.attname::text order by u.place)
from pg_constraint k
join pg_class fc on fc.oid = k.confrelid
join pg_namespace fn on fn.oid = fc.relnamespace
cross join lateral unnest(k.conkey, k.confkey) with ordinality u(own, other, place)
join pg_attribute own on own.attrelid = k.conrelid and own.attnum = u.own
join pg_attribute other on other.attrelid = k.confrelid and other.attnum = u.other
where k.contype = 'f' and k.conparentid = 0 and k.conrelid = any($1)
group by k.oid, k.conrelid, fn.nspname, fc.relname
order by k.conrelid, k.oid
