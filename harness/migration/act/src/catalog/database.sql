-- The database itself, schemas, extensions, languages, access methods, settings.
select 'pg_database'::regclass::oid, d.oid, 0, 'database', '{}'::text[], 'itself', 0::oid, 0::oid, 0,
       array['encoding', pg_encoding_to_char(d.encoding), 'collate', d.datcollate, 'character type', d.datctype,
             'provider', case d.datlocprovider when 'c' then null when 'i' then 'icu' else d.datlocprovider::text end,
             'locale', coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale')]::text[]
from pg_database d where d.datname = current_database()
union all
select 'pg_namespace'::regclass::oid, n.oid, 0, 'schema', array[n.nspname]::text[], null, 0, 0, 0, '{}'::text[]
from pg_namespace n where (n.oid >= 16384 or n.nspname = 'public') and n.nspname !~ '^pg_(toast_)?temp'
union all
select 'pg_extension'::regclass::oid, e.oid, 0, 'extension', array[e.extname]::text[], null, 0, 0, 0,
       array['version', e.extversion, 'schema', n.nspname]::text[]
from pg_extension e join pg_namespace n on n.oid = e.extnamespace
union all
select 'pg_language'::regclass::oid, l.oid, 0, 'language', array[l.lanname]::text[], null, 0, 0, 0,
       array['trusted', case when l.lanpltrusted then 'yes' end, 'handler', nullif(l.lanplcallfoid, 0)::regprocedure::text,
             'inline', nullif(l.laninline, 0)::regprocedure::text, 'validator', nullif(l.lanvalidator, 0)::regprocedure::text]::text[]
from pg_language l where l.oid >= 16384
union all
select 'pg_am'::regclass::oid, m.oid, 0, 'access method', array[m.amname]::text[], null, 0, 0, 0,
       array['handler', m.amhandler::regprocedure::text, 'type', case m.amtype when 't' then 'table' else 'index' end]::text[]
from pg_am m where m.oid >= 16384
union all
select 0, 0, 0, 'setting', '{}'::text[],
       concat_ws(' in ', case when s.setrole <> 0 then 'role ' || quote_ident(pg_get_userbyid(s.setrole)) end,
                 case when s.setdatabase <> 0 then 'this database' end), 0, 0, 0,
       (select array_agg(part order by c.line collate "C", place)
        from unnest(s.setconfig) c(line), unnest(array[split_part(c.line, '=', 1), substr(c.line, strpos(c.line, '=') + 1)]) with ordinality p(part, place))
from pg_db_role_setting s left join pg_database d on d.oid = s.setdatabase
where s.setdatabase = 0 or d.datname = current_database()
