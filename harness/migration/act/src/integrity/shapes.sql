-- Tables that hold rows of their own, a partitioned one for all of its partitions, column by column.
with recursive bases (oid, base, modified) as (
    select oid, oid, false from pg_type where typtype <> 'd'
    union all
    select d.oid, b.base, b.modified or d.typtypmod <> -1 from pg_type d join bases b on b.oid = d.typbasetype where d.typtype = 'd'
), tables as (
    select c.oid, c.relkind, format('%I.%I', n.nspname, c.relname) as name
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and c.relpersistence <> 't' and not c.relispartition
      and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
), keys as (
    select i.indrelid, k.attnum from pg_index i, unnest(i.indkey::int2[]) with ordinality k (attnum, at)
    where i.indisprimary and k.at <= i.indnkeyatts
), feeding as (
    -- A sequence feeds the column that owns it, or whose default asks it.
    select distinct on (relid, attnum) relid, attnum, sequence from (
        select d.refobjid as relid, d.refobjsubid as attnum, d.objid as sequence
        from pg_depend d join pg_class s on s.oid = d.objid and s.relkind = 'S'
        where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjsubid > 0 and d.deptype in ('a', 'i')
        union all
        select f.adrelid, f.adnum, d.refobjid
        from pg_attrdef f join pg_depend d on d.classid = 'pg_attrdef'::regclass and d.objid = f.oid and d.refclassid = 'pg_class'::regclass
        join pg_class s on s.oid = d.refobjid and s.relkind = 'S'
    ) x order by relid, attnum, sequence
)
select t.name, t.relkind = 'p', a.attname::text, format_type(a.atttypid, a.atttypmod),
       y.typname::text, n.nspname = 'pg_catalog', a.atttypmod <> -1 or b.modified,
       coalesce(l.collisdeterministic, true),
       exists (select from keys k where k.indrelid = t.oid and k.attnum = a.attnum),
       q.seqrelid::regclass::text,
       case when q.seqrelid is not null then
           coalesce((pg_sequence_last_value(q.seqrelid)::numeric + q.seqincrement)::numeric, q.seqstart)::text end,
       q.seqincrement, q.seqcycle
from tables t
left join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
left join bases b on b.oid = a.atttypid
left join pg_type y on y.oid = b.base
left join pg_namespace n on n.oid = y.typnamespace
left join pg_collation l on l.oid = a.attcollation
left join feeding f on f.relid = t.oid and f.attnum = a.attnum
left join pg_sequence q on q.seqrelid = f.sequence
order by t.name collate "C", a.attname collate "C"
