select a.attrelid, a.attname::text, format_type(a.atttypid, a.atttypmod),
       a.attnotnull and not a.atthasdef and a.attidentity = '',
       (select format('%I.%I', sn.nspname, s.relname)
        from pg_class s join pg_namespace sn on sn.oid = s.relnamespace
        where s.relkind = 'S' and s.oid in (
            select d.objid from pg_depend d
            where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass
                  and d.refobjid = a.attrelid and d.refobjsubid = a.attnum and d.deptype in ('a', 'i')
            union all
            select d.refobjid from pg_attrdef f
            join pg_depend d on d.classid = 'pg_attrdef'::regclass and d.objid = f.oid and d.refclassid = 'pg_class'::regclass
            where f.adrelid = a.attrelid and f.adnum = a.attnum)
        order by s.oid limit 1)
from pg_attribute a
where a.attnum > 0 and not a.attisdropped and a.attgenerated = '' and a.attrelid = any($1)
order by a.attrelid, a.attnum
