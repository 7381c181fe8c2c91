-- Foreign keys, those of a partitioned table once. A key's own operators compare, in the collation of what is referenced.
select k.conrelid, k.confrelid, array_agg(own.attname::text order by u.place),
       string_agg(format('p.%I operator(%I.%s) c.%I%s', other.attname, operators.nspname, o.oprname, own.attname,
                         case when other.attcollation not in (0, own.attcollation)
                              then format(' collate %I.%I', collations.nspname, l.collname) else '' end),
                  ' and ' order by u.place)
from pg_constraint k
cross join lateral unnest(k.conkey, k.confkey, k.conpfeqop) with ordinality u(own, other, operator, place)
join pg_attribute own on own.attrelid = k.conrelid and own.attnum = u.own
join pg_attribute other on other.attrelid = k.confrelid and other.attnum = u.other
join pg_operator o on o.oid = u.operator
join pg_namespace operators on operators.oid = o.oprnamespace
left join pg_collation l on l.oid = other.attcollation
left join pg_namespace collations on collations.oid = l.collnamespace
where k.contype = 'f' and k.conparentid = 0
group by k.oid, k.conrelid, k.confrelid, k.conname
order by k.conrelid, k.conname
