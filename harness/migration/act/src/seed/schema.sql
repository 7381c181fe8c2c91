-- Tables that rows can be put into, and the types of their columns, as one JSON text.
with recursive tables as (
    select c.oid, c.relkind, format('%I.%I', n.nspname, c.relname) as name
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and c.relpersistence <> 't' and not c.relispartition
      and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
      and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
      and ($1::text[] is null or format('%I.%I', n.nspname, c.relname) = any ($1))
), columns as (
    select a.attrelid, a.attnum, jsonb_build_object(
        'name', a.attname, 'of_type', a.atttypid::int8, 'modifier', a.atttypmod, 'not_null', a.attnotnull,
        'is_generated', a.attgenerated <> '',
        'is_counted', a.attidentity <> '' or coalesce(pg_get_expr(f.adbin, f.adrelid) like 'nextval(%', false)) as told
    from tables t join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
    left join pg_attrdef f on f.adrelid = a.attrelid and f.adnum = a.attnum
), uniques as (
    select i.indrelid, jsonb_agg(jsonb_build_object('name', c.relname, 'columns', (
        select coalesce(jsonb_agg(distinct a.attname), '[]') from pg_attribute a
        where a.attrelid = i.indrelid and (a.attnum = any (i.indkey::int2[]) or exists (
            select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = i.indexrelid
            and d.refobjid = i.indrelid and d.refobjsubid = a.attnum)))) order by c.relname) as told
    from tables t join pg_index i on i.indrelid = t.oid join pg_class c on c.oid = i.indexrelid
    where i.indisunique or i.indisexclusion group by i.indrelid
), checks as (
    select k.conrelid, jsonb_agg(jsonb_build_object('name', k.conname, 'expression', pg_get_expr(k.conbin, k.conrelid), 'columns', (
        select coalesce(jsonb_agg(a.attname order by a.attnum), '[]') from pg_attribute a
        where a.attrelid = k.conrelid and a.attnum = any (k.conkey))) order by k.conname) as told
    from tables t join pg_constraint k on k.conrelid = t.oid where k.contype = 'c' group by k.conrelid
), keys as (
    select k.conrelid, jsonb_agg(jsonb_build_object('name', k.conname,
        'columns', (select jsonb_agg(a.attname order by u.at) from unnest(k.conkey) with ordinality u (attnum, at)
                    join pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.attnum),
        'to', format('%I.%I', n.nspname, r.relname),
        'to_columns', (select jsonb_agg(a.attname order by u.at) from unnest(k.confkey) with ordinality u (attnum, at)
                       join pg_attribute a on a.attrelid = k.confrelid and a.attnum = u.attnum),
        'is_deferrable', k.condeferrable) order by k.conname) as told
    from tables t join pg_constraint k on k.conrelid = t.oid
    join pg_class r on r.oid = k.confrelid join pg_namespace n on n.oid = r.relnamespace
    where k.contype = 'f' and (k.conparentid = 0 or not exists (
        select from pg_constraint up where up.oid = k.conparentid and up.conrelid = k.conrelid)) group by k.conrelid
), parts as (
    select h.inhparent, jsonb_agg(pg_get_expr(c.relpartbound, c.oid) order by c.relname) as told
    from tables t join pg_inherits h on h.inhparent = t.oid join pg_class c on c.oid = h.inhrelid
    where c.relispartition group by h.inhparent
), needed (oid) as (
    select distinct a.atttypid from tables t join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
    union
    select x.oid from needed d join pg_type y on y.oid = d.oid left join pg_range r on y.oid in (r.rngtypid, r.rngmultitypid)
    cross join lateral (
        select nullif(y.typelem, 0) where y.typsubscript = 'array_subscript_handler'::regproc
        union all select nullif(y.typbasetype, 0)
        union all select case when r.rngtypid = y.oid then r.rngsubtype else r.rngtypid end
        union all select a.atttypid from pg_attribute a where a.attrelid = y.typrelid and y.typrelid <> 0 and a.attnum > 0 and not a.attisdropped
    ) x (oid) where x.oid is not null
), types as (
    select y.oid, jsonb_build_object('name', y.typname, 'kind', y.typtype,
        'is_array', y.typsubscript = 'array_subscript_handler'::regproc and y.typelem <> 0,
        'of', coalesce(case y.typtype when 'd' then y.typbasetype when 'r' then r.rngsubtype when 'm' then m.rngtypid else y.typelem end, 0)::int8,
        'modifier', y.typtypmod, 'not_null', y.typnotnull,
        'labels', (select coalesce(jsonb_agg(e.enumlabel order by e.enumsortorder), '[]') from pg_enum e where e.enumtypid = y.oid),
        'parts', (select coalesce(jsonb_agg(a.atttypid::int8 order by a.attnum), '[]') from pg_attribute a
                  where y.typrelid <> 0 and a.attrelid = y.typrelid and a.attnum > 0 and not a.attisdropped),
        'checks', (select coalesce(jsonb_agg(jsonb_build_object('name', k.conname, 'expression', pg_get_expr(k.conbin, 0)) order by k.conname), '[]')
                   from pg_constraint k where k.contypid = y.oid and k.contype = 'c')) as told
    from needed d join pg_type y on y.oid = d.oid
    left join pg_range r on r.rngtypid = y.oid left join pg_range m on m.rngmultitypid = y.oid
)
select jsonb_build_object(
    'tables', (select coalesce(jsonb_object_agg(t.name, jsonb_build_object(
        'columns', (select coalesce(jsonb_agg(c.told order by c.attnum), '[]') from columns c where c.attrelid = t.oid),
        'uniques', coalesce(u.told, '[]'), 'checks', coalesce(k.told, '[]'), 'foreign', coalesce(f.told, '[]'),
        'partition_key', (select coalesce(jsonb_agg(a.attname), '[]') from pg_partitioned_table p
                          join pg_attribute a on a.attrelid = p.partrelid and a.attnum = any (p.partattrs::int2[]) where p.partrelid = t.oid),
        'bounds', coalesce(p.told, '[]'), 'is_partitioned', t.relkind = 'p', 'has_rows', false)), '{}')
        from tables t left join uniques u on u.indrelid = t.oid left join checks k on k.conrelid = t.oid
        left join keys f on f.conrelid = t.oid left join parts p on p.inhparent = t.oid),
    'types', (select coalesce(jsonb_object_agg(oid::text, told), '{}') from types))::text
