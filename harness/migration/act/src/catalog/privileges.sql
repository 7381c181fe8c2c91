-- Privileges that are not what the server or the extension gives by itself, one row an object and grantee; default
-- privileges. pg_dump writes those of extensions' members and of the system's own objects too, against pg_init_privs.
with guarded as (
    select 'pg_class'::regclass::oid as class, oid as object, 0 as part,
           case when relkind = 'S' then 's' else 'r' end::"char" as type, relowner as owner, relacl as acl
    from pg_class where relacl is not null and relkind in ('r', 'p', 'f', 'v', 'm', 'S')
    union all
    select 'pg_class'::regclass, a.attrelid, a.attnum, 'c', c.relowner, a.attacl
    from pg_attribute a join pg_class c on c.oid = a.attrelid where a.attacl is not null and not a.attisdropped
    union all select 'pg_proc'::regclass, oid, 0, 'f', proowner, proacl from pg_proc where proacl is not null
    union all select 'pg_type'::regclass, oid, 0, 'T', typowner, typacl from pg_type where typacl is not null
    union all select 'pg_namespace'::regclass, oid, 0, 'n', nspowner, nspacl from pg_namespace
              where nspacl is not null and (oid >= 16384 or nspname in ('public', 'pg_catalog'))
    union all select 'pg_language'::regclass, oid, 0, 'l', lanowner, lanacl from pg_language where lanacl is not null
    union all select 'pg_foreign_data_wrapper'::regclass, oid, 0, 'F', fdwowner, fdwacl from pg_foreign_data_wrapper where fdwacl is not null
    union all select 'pg_foreign_server'::regclass, oid, 0, 'S', srvowner, srvacl from pg_foreign_server where srvacl is not null
    union all select 'pg_database'::regclass, oid, 0, 'd', datdba, datacl from pg_database where datacl is not null and datname = current_database()
), initial as (
    -- Whose first privileges are not what the kind of object has by default: members, and the system's own objects.
    select i.classoid as class, i.objoid as object, i.objsubid as part, i.initprivs as acl from pg_init_privs i
    where i.classoid <> 'pg_namespace'::regclass or i.objoid <> 'public'::regnamespace
), own as (
    -- The system's own objects that pg_dump writes privileges of: not those of information_schema and pg_toast.
    select 'pg_class'::regclass::oid as class, oid as object from pg_class where relnamespace = 'pg_catalog'::regnamespace
    union all select 'pg_proc'::regclass, oid from pg_proc where pronamespace = 'pg_catalog'::regnamespace
    union all select 'pg_type'::regclass, oid from pg_type where typnamespace = 'pg_catalog'::regnamespace
    union all select 'pg_language'::regclass, oid from pg_language
    union all select 'pg_namespace'::regclass, oid from pg_namespace where nspname = 'pg_catalog'
), entries as (
    select g.class, g.object, g.part, g.type, e.is_default, e.grantee, e.privilege_type || case when e.is_grantable then '*' else '' end
           || case when e.grantor <> g.owner then ' by ' || pg_get_userbyid(e.grantor) else '' end as privilege, e.grantee = g.owner as is_owner
    from guarded g left join initial i on i.class = g.class and i.object = g.object and i.part = g.part, lateral (
        select false as is_default, x.* from aclexplode(g.acl) x
        union all
        select true, x.* from aclexplode(coalesce(i.acl, acldefault(g.type, g.owner))) x
    ) e
    where (i.acl is null or g.acl <> i.acl)
      and (g.object >= 16384 or g.class = 'pg_database'::regclass or (g.class = 'pg_namespace'::regclass and i.acl is null)
           or (g.class, g.object) in (select class, object from own))
), sets as (
    select class, object, part, type, grantee,
           string_agg(privilege, ', ' order by privilege collate "C") filter (where not is_default) as given,
           string_agg(privilege, ', ' order by privilege collate "C") filter (where is_default) as usual
    from entries group by class, object, part, type, grantee
), every as (
    -- All that a kind of object knows, which is what its owner has by default: MAINTAIN came with PostgreSQL 17.
    select class, object, part, string_agg(privilege, ', ' order by privilege collate "C") as all_of,
           string_agg(privilege || '*', ', ' order by (privilege || '*') collate "C") as all_to_give
    from entries where is_default and is_owner group by class, object, part
)
select 0::oid, 0::oid, 0, 'privilege', case when s.is_own then '{}'::text[] end,
       case when s.is_own then (select replace(o.type, 'table column', 'column') || ' ' || o.identity
                                from pg_identify_object(s.class, s.object, s.part) o) else '' end
       || ' to ' || case when s.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(s.grantee)) end,
       case when s.is_own then 0 else s.class end, case when s.is_own then 0 else s.object end,
       case when s.is_own then 0 else s.part end,
       array['granted', case when s.given = e.all_of then 'ALL' when s.given = e.all_to_give then 'ALL*' else coalesce(s.given, 'nothing') end]::text[]
from (select s.*, s.object < 16384 and s.class <> 'pg_database'::regclass
             and not (s.class = 'pg_namespace'::regclass and s.object = 'public'::regnamespace) as is_own from sets s) s
left join every e on e.class = s.class and e.object = s.object and e.part = s.part
where s.given is distinct from s.usual
union all
select 'pg_default_acl'::regclass::oid, d.oid, 0, 'default privilege', '{}'::text[],
       concat_ws(' ', 'for', quote_ident(pg_get_userbyid(d.defaclrole)), 'in ' || nullif(d.defaclnamespace, 0)::regnamespace,
                 'on', case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions'
                       when 'T' then 'types' when 'n' then 'schemas' else d.defaclobjtype::text end,
                 'to', case when x.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(x.grantee)) end),
       0, 0, 0, array['granted', case when e.all_of is null then null
                   -- What a kind of object can be granted differs between major versions.
                   when bool_and(not x.is_grantable) and array_agg(x.privilege_type order by x.privilege_type) = e.all_of then 'ALL'
                   when bool_and(x.is_grantable) and array_agg(x.privilege_type order by x.privilege_type) = e.all_of then 'ALL*'
                   else string_agg(x.privilege_type || case when x.is_grantable then '*' else '' end, ', ' order by x.privilege_type collate "C") end]
from pg_default_acl d left join lateral aclexplode(d.defaclacl) x on true
cross join lateral (select array_agg(p.privilege_type order by p.privilege_type) as all_of
                    from aclexplode(acldefault(case d.defaclobjtype when 'S' then 's' else d.defaclobjtype end, d.defaclrole)) p
                    where p.grantee = d.defaclrole) e
group by d.oid, d.defaclrole, d.defaclnamespace, d.defaclobjtype, x.grantee, e.all_of
