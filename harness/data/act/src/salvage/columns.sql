-- The type without its limits is written for those alone whose values can be compared, and that cut or round without an error:
-- varchar, character, bit, bit varying, numeric, times and intervals, and arrays and domains of them.
with recursive base(domain, type) as (
    select t.oid, t.typbasetype from pg_type t where t.typtype = 'd'
    union all
    select base.domain, t.typbasetype from base join pg_type t on t.oid = base.type where t.typtype = 'd'
), plain as (
    select base.domain, base.type from base join pg_type t on t.oid = base.type where t.typtype <> 'd'
)
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
        order by s.oid limit 1),
       case when coalesce(plain.type, a.atttypid) = any ('{1042,1043,1560,1562,1700,1083,1114,1184,1186,1266,'
                 '1014,1015,1561,1563,1231,1183,1115,1185,1187,1270}'::oid[])
            then format_type(coalesce(plain.type, a.atttypid), -1)
            else format_type(a.atttypid, a.atttypmod) end
from pg_attribute a left join plain on plain.domain = a.atttypid
where a.attnum > 0 and not a.attisdropped and a.attgenerated = '' and a.attrelid = any($1)
order by a.attrelid, a.attnum
