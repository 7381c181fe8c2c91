-- What hangs on any object: comments, security labels, owners. The object's own text becomes the name.
with owned as (
    select 'pg_class'::regclass::oid as class, oid as object, relowner as owner from pg_class
    where relkind in ('r', 'p', 'f', 'v', 'm', 'S') and relpersistence <> 't'
    union all select 'pg_proc'::regclass, oid, proowner from pg_proc
    union all select 'pg_type'::regclass, t.oid, t.typowner from pg_type t left join pg_class c on c.oid = t.typrelid
              where t.typtype in ('e', 'd', 'r') or c.relkind = 'c'
                 or (t.typtype in ('b', 'p') and (t.typelem = 0 or t.typsubscript <> 'array_subscript_handler'::regproc))
    union all select 'pg_namespace'::regclass, oid, nspowner from pg_namespace
              where (oid >= 16384 and nspname !~ '^pg_(toast_)?temp_') or nspname = 'public'
    union all select 'pg_language'::regclass, oid, lanowner from pg_language
    union all select 'pg_foreign_data_wrapper'::regclass, oid, fdwowner from pg_foreign_data_wrapper
    union all select 'pg_foreign_server'::regclass, oid, srvowner from pg_foreign_server
    union all select 'pg_operator'::regclass, oid, oprowner from pg_operator
    union all select 'pg_opclass'::regclass, oid, opcowner from pg_opclass
    union all select 'pg_opfamily'::regclass, oid, opfowner from pg_opfamily
    union all select 'pg_collation'::regclass, oid, collowner from pg_collation
    union all select 'pg_conversion'::regclass, oid, conowner from pg_conversion
    union all select 'pg_publication'::regclass, oid, pubowner from pg_publication
    union all select 'pg_subscription'::regclass, oid, subowner from pg_subscription
              where subdbid = (select oid from pg_database where datname = current_database()) -- the others are other databases'
    union all select 'pg_event_trigger'::regclass, oid, evtowner from pg_event_trigger
    union all select 'pg_statistic_ext'::regclass, oid, stxowner from pg_statistic_ext
    union all select 'pg_ts_config'::regclass, oid, cfgowner from pg_ts_config
    union all select 'pg_ts_dict'::regclass, oid, dictowner from pg_ts_dict
    union all select 'pg_database'::regclass, oid, datdba from pg_database where datname = current_database()
)
select 0::oid, 0::oid, 0, 'owner', null::text[], null::text, class, object, 0, array['role', pg_get_userbyid(owner)]::text[]
from owned
where object >= 16384 or class in ('pg_database'::regclass, 'pg_namespace'::regclass)
union all
select 0, 0, 0, 'comment', null, null, d.classoid, d.objoid, d.objsubid, array['text', d.description]
from pg_description d where d.objoid >= 16384 or (d.classoid = 'pg_namespace'::regclass and d.objoid = 'public'::regnamespace)
union all
select 0, 0, 0, 'comment', null, null, d.classoid, d.objoid, 0, array['text', d.description]
from pg_shdescription d join pg_database b on b.oid = d.objoid
where d.classoid = 'pg_database'::regclass and b.datname = current_database()
union all
select 0, 0, 0, 'security label', null, ' by ' || l.provider, l.classoid, l.objoid, l.objsubid, array['label', l.label]
from pg_seclabel l where l.objoid >= 16384
