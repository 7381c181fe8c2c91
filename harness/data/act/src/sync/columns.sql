select a.attrelid, a.attname::text, a.atttypid, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       case when t.typname in ('varchar', 'bpchar', '_varchar', '_bpchar') and a.atttypmod > 4 then a.atttypmod - 4
            when t.typtype = 'd' and t.typtypmod > 4 and b.typname in ('varchar', 'bpchar') then t.typtypmod - 4 end,
       exists (select from pg_index i where i.indrelid = a.attrelid and i.indisunique and a.attnum = any(i.indkey::int2[])),
       col_description(a.attrelid, a.attnum::int),
       f.confrelid, f.attname,
       array(with recursive of(oid) as (
                 select a.atttypid
                 union all
                 select case t.typtype when 'd' then t.typbasetype else t.typelem end from of join pg_type t using (oid)
                 where t.typtype = 'd' or t.typcategory = 'A')
             select pg_get_constraintdef(k.oid) from pg_constraint k
             where k.contype = 'c' and k.convalidated
                   and (k.conrelid = a.attrelid and a.attnum = any(k.conkey) or k.contypid in (select oid from of where oid <> 0))
             order by k.oid),
       (select s.nspname || '.' || p.relname
        from pg_partition_ancestors(a.attrelid) up(oid)
        join pg_partitioned_table k on k.partrelid = up.oid
        join pg_class p on p.oid = up.oid join pg_namespace s on s.oid = p.relnamespace
        join pg_attribute x on x.attrelid = up.oid and x.attname = a.attname
        where x.attnum = any(k.partattrs::int2[])
              -- A column of an expression depends on its table.
              or exists (select from pg_depend d
                         where d.classid = 'pg_class'::regclass and d.objid = up.oid and d.objsubid = x.attnum
                               and d.refclassid = 'pg_class'::regclass and d.refobjid = up.oid and d.refobjsubid = 0
                               and d.deptype = 'i' and x.attidentity = '')
        limit 1),
       array(select pg_get_indexdef(i.indexrelid, k.at::int, false)
             from pg_index i cross join lateral unnest(i.indkey::int2[]) with ordinality k(num, at)
             where i.indrelid = a.attrelid and i.indisunique and k.num = 0 and k.at <= i.indnkeyatts
                   and exists (select from pg_depend d
                               where d.classid = 'pg_class'::regclass and d.objid = i.indexrelid
                                     and d.refclassid = 'pg_class'::regclass and d.refobjid = a.attrelid and d.refobjsubid = a.attnum)
             order by i.indexrelid, k.at)
from pg_attribute a
join pg_type t on t.oid = a.atttypid
left join pg_type b on b.oid = t.typbasetype
left join lateral (
    select k.confrelid, r.attname::text
    from pg_constraint k
    cross join lateral unnest(k.conkey, k.confkey) u(own, other)
    join pg_attribute r on r.attrelid = k.confrelid and r.attnum = u.other
    where k.contype = 'f' and k.conrelid = a.attrelid and u.own = a.attnum
    -- A key to a partitioned table is there once more for each partition, and rules are looked up for those.
    order by (select p.relkind <> 'r' from pg_class p where p.oid = k.confrelid), k.conname limit 1) f on true
where a.attnum > 0 and not a.attisdropped and a.attgenerated = '' and a.attrelid = any($1)
order by a.attrelid, a.attnum
