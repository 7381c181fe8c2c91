-- Enums, domains, ranges, base types, collations, conversions.
select 'pg_type'::regclass::oid, t.oid, 0,
       case t.typtype when 'e' then 'enum' when 'd' then 'domain' when 'r' then 'range' else 'base type' end,
       array[n.nspname, t.typname]::text[], null::text, 'pg_namespace'::regclass::oid, n.oid, 0,
       array[
         'values', (select string_agg(quote_literal(e.enumlabel), e'\n' order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid),
         'type', case when t.typtype = 'd' then format_type(t.typbasetype, t.typtypmod) end,
         'not null', case when t.typnotnull then 'yes' end,
         'default', case when t.typtype = 'd' then pg_get_expr(t.typdefaultbin, 0) else t.typdefault end,
         'collation', case when t.typtype = 'd' and t.typcollation <> b.typcollation then t.typcollation::regcollation::text
                           when t.typtype = 'r' and r.rngcollation <> 0 and r.rngcollation <> 100 then r.rngcollation::regcollation::text end,
         'subtype', case when r.rngtypid is not null then format_type(r.rngsubtype, null) end,
         'operator class', case when r.rngtypid is not null then (select format('%I.%I', s.nspname, o.opcname)
                           from pg_opclass o join pg_namespace s on s.oid = o.opcnamespace where o.oid = r.rngsubopc) end,
         'canonical', case when r.rngcanonical <> 0 then r.rngcanonical::regproc::text end,
         'difference', case when r.rngsubdiff <> 0 then r.rngsubdiff::regproc::text end,
         'multirange', case when r.rngtypid is not null then r.rngmultitypid::regtype::text end,
         'functions', case when t.typtype = 'b' then concat_ws(e'\n', 'input ' || t.typinput, 'output ' || t.typoutput,
              'receive ' || nullif(t.typreceive, 0)::regproc, 'send ' || nullif(t.typsend, 0)::regproc,
              'modifier in ' || nullif(t.typmodin, 0)::regproc, 'modifier out ' || nullif(t.typmodout, 0)::regproc,
              'analyze ' || nullif(t.typanalyze, 0)::regproc, 'subscript ' || nullif(t.typsubscript, 0)::regproc) end,
         'layout', case when t.typtype = 'b' then format('length %s, by value %s, align %s, storage %s, category %s, preferred %s, delimiter %s',
              t.typlen, t.typbyval, t.typalign, t.typstorage, t.typcategory, t.typispreferred, t.typdelim) end,
         'undefined', case when not t.typisdefined then 'yes' end
       ]::text[]
from pg_type t
join pg_namespace n on n.oid = t.typnamespace
left join pg_type b on b.oid = t.typbasetype
left join pg_range r on r.rngtypid = t.oid
where t.oid >= 16384 and n.nspname !~ '^pg_temp'
  and (t.typtype in ('e', 'd', 'r') or (t.typtype in ('b', 'p') and t.typelem = 0)
       or (t.typtype = 'b' and t.typsubscript <> 'array_subscript_handler'::regproc))
union all
select 'pg_collation'::regclass::oid, c.oid, 0, 'collation', array[n.nspname, c.collname]::text[], null,
       'pg_namespace'::regclass::oid, n.oid, 0,
       array[
         'provider', case c.collprovider when 'i' then 'icu' when 'c' then 'libc' when 'b' then 'builtin' else c.collprovider::text end,
         'collate', c.collcollate, 'character type', c.collctype,
         -- The column's name changed with PostgreSQL 17.
         'locale', coalesce(to_jsonb(c) ->> 'colllocale', to_jsonb(c) ->> 'colliculocale'),
         'rules', to_jsonb(c) ->> 'collicurules',
         'deterministic', case when not c.collisdeterministic then 'no' end
       ]::text[]
from pg_collation c join pg_namespace n on n.oid = c.collnamespace where c.oid >= 16384 and n.nspname <> 'pg_catalog'
union all
select 'pg_conversion'::regclass::oid, c.oid, 0, 'conversion', array[n.nspname, c.conname]::text[], null,
       'pg_namespace'::regclass::oid, n.oid, 0,
       array['from', pg_encoding_to_char(c.conforencoding), 'to', pg_encoding_to_char(c.contoencoding),
             'function', c.conproc::text, 'default', case when c.condefault then 'yes' end]::text[]
from pg_conversion c join pg_namespace n on n.oid = c.connamespace where c.oid >= 16384
