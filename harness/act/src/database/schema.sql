-- A hash of everything that a schema is made of. Each branch gives text, since a branch of type "name" would cut
-- every line to 63 bytes.
with spaces as (
    select oid, nspname from pg_catalog.pg_namespace
    where nspname not in ('pg_catalog', 'information_schema') and nspname !~ '^pg_(toast|temp)'
), members as (
    select classid, objid from pg_catalog.pg_depend where deptype = 'e'
), lines as (
    select 'schema ' || nspname::text || ' ' || coalesce(s.nspacl::text, '') as line
    from spaces join pg_catalog.pg_namespace s using (oid, nspname)
    union all
    select 'extension ' || extname::text || ' ' || extversion from pg_catalog.pg_extension
    union all
    select format('relation %I.%I %s %s %s %s %s %s %s', s.nspname, c.relname, c.relkind, c.relpersistence,
                  pg_catalog.pg_get_userbyid(c.relowner), coalesce(c.relacl::text, ''),
                  coalesce(c.reloptions::text, ''), c.relrowsecurity::text || c.relforcerowsecurity::text,
                  coalesce(pg_catalog.pg_get_expr(c.relpartbound, c.oid), ''))
    from pg_catalog.pg_class c join spaces s on s.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f', 'c')
    union all
    select format('column %I.%I.%I %s %s %s %s%s %s', s.nspname, c.relname, a.attname,
                  pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull::text,
                  coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid), ''), a.attidentity::text, a.attgenerated::text,
                  coalesce(a.attacl::text, ''))
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_class c on c.oid = a.attrelid and c.relkind in ('r', 'p', 'v', 'm', 'f', 'c')
    join spaces s on s.oid = c.relnamespace
    left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attnum > 0 and not a.attisdropped
    union all
    -- NOT NULL is a constraint of its own from PostgreSQL 18 on; here it is told with its column.
    select format('constraint %s %I %s %s', k.conrelid::pg_catalog.regclass::text, k.conname,
                  pg_catalog.pg_get_constraintdef(k.oid), k.convalidated::text)
    from pg_catalog.pg_constraint k join spaces s on s.oid = k.connamespace where k.contype::text <> 'n'
    union all
    select pg_catalog.pg_get_indexdef(i.indexrelid) || ' ' || i.indisvalid::text || i.indisclustered::text
    from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid join spaces s on s.oid = c.relnamespace
    union all
    select format('view %I.%I %s', s.nspname, c.relname, pg_catalog.pg_get_viewdef(c.oid))
    from pg_catalog.pg_class c join spaces s on s.oid = c.relnamespace where c.relkind in ('v', 'm')
    union all
    select format('function %I.%I(%s) %s', s.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid),
                  case when p.prokind in ('f', 'p') then pg_catalog.pg_get_functiondef(p.oid) else p.prokind::text end
                  || ' ' || coalesce(p.proacl::text, ''))
    from pg_catalog.pg_proc p join spaces s on s.oid = p.pronamespace
    where not exists (select from members m where m.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and m.objid = p.oid)
    union all
    select pg_catalog.pg_get_triggerdef(t.oid) || ' ' || t.tgenabled::text
    from pg_catalog.pg_trigger t join pg_catalog.pg_class c on c.oid = t.tgrelid join spaces s on s.oid = c.relnamespace
    where not t.tgisinternal
    union all
    select format('rule %I.%I %s', s.nspname, c.relname, pg_catalog.pg_get_ruledef(r.oid))
    from pg_catalog.pg_rewrite r join pg_catalog.pg_class c on c.oid = r.ev_class join spaces s on s.oid = c.relnamespace
    where r.rulename <> '_RETURN'
    union all
    select format('policy %I.%I %I %s %s %s %s', s.nspname, c.relname, p.polname, p.polcmd,
                  p.polroles::pg_catalog.regrole[]::text, coalesce(pg_catalog.pg_get_expr(p.polqual, p.polrelid), ''),
                  coalesce(pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid), ''))
    from pg_catalog.pg_policy p join pg_catalog.pg_class c on c.oid = p.polrelid join spaces s on s.oid = c.relnamespace
    union all
    select format('enum %I.%I %s %s', s.nspname, t.typname, e.enumsortorder, e.enumlabel)
    from pg_catalog.pg_enum e join pg_catalog.pg_type t on t.oid = e.enumtypid join spaces s on s.oid = t.typnamespace
    union all
    select format('domain %I.%I %s %s %s', s.nspname, t.typname, pg_catalog.format_type(t.typbasetype, t.typtypmod),
                  t.typnotnull::text, coalesce(t.typdefault, ''))
    from pg_catalog.pg_type t join spaces s on s.oid = t.typnamespace where t.typtype = 'd'
    union all
    select format('sequence %I.%I %s %s %s %s %s %s', s.nspname, c.relname, pg_catalog.format_type(q.seqtypid, null),
                  q.seqstart, q.seqincrement, q.seqmin, q.seqmax, q.seqcycle::text)
    from pg_catalog.pg_sequence q join pg_catalog.pg_class c on c.oid = q.seqrelid join spaces s on s.oid = c.relnamespace
    union all
    select format('comment %s %s', pg_catalog.pg_describe_object(d.classoid, d.objoid, d.objsubid), d.description)
    from pg_catalog.pg_description d
    join pg_catalog.pg_class c on c.oid = d.objoid and d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass
    join spaces s on s.oid = c.relnamespace
)
select coalesce(pg_catalog.md5(pg_catalog.string_agg(line, e'\n' order by line collate "C")), '') from lines
