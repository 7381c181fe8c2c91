-- Operators, their classes and families, casts, transforms.
with members as (
    select amopfamily as family, 'operator ' || amopstrategy || ' ' || amopopr::regoperator
           || case when amopsortfamily <> 0 then ' for order by' else '' end as line
    from pg_amop where amopfamily >= 16384
    union all
    select amprocfamily, 'function ' || amprocnum || ' ' || format_type(amproclefttype, null) || ' '
           || format_type(amprocrighttype, null) || ' ' || amproc::regprocedure
    from pg_amproc where amprocfamily >= 16384
)
select 'pg_operator'::regclass::oid, o.oid, 0, 'operator', array[n.nspname]::text[],
       '.' || o.oprname || '(' || case when o.oprleft = 0 then 'none' else format_type(o.oprleft, null) end || ', ' || format_type(o.oprright, null) || ')',
       'pg_namespace'::regclass::oid, n.oid, 0,
       array[
         'function', nullif(o.oprcode, 0)::regprocedure::text, 'result', format_type(nullif(o.oprresult, 0), null),
         'commutator', nullif(o.oprcom, 0)::regoperator::text, 'negator', nullif(o.oprnegate, 0)::regoperator::text,
         'restrict', nullif(o.oprrest, 0)::regprocedure::text, 'join', nullif(o.oprjoin, 0)::regprocedure::text,
         'hashes', case when o.oprcanhash then 'yes' end, 'merges', case when o.oprcanmerge then 'yes' end
       ]::text[]
from pg_operator o join pg_namespace n on n.oid = o.oprnamespace where o.oid >= 16384
union all
select 'pg_opfamily'::regclass::oid, f.oid, 0, 'operator family', array[n.nspname, f.opfname]::text[], ' using ' || m.amname,
       'pg_namespace'::regclass::oid, n.oid, 0,
       array['members', (select string_agg(line, e'\n' order by line collate "C") from members where family = f.oid)]::text[]
from pg_opfamily f join pg_namespace n on n.oid = f.opfnamespace join pg_am m on m.oid = f.opfmethod where f.oid >= 16384
union all
select 'pg_opclass'::regclass::oid, c.oid, 0, 'operator class', array[n.nspname, c.opcname]::text[], ' using ' || m.amname,
       'pg_namespace'::regclass::oid, n.oid, 0,
       array['type', format_type(c.opcintype, null), 'default', case when c.opcdefault then 'yes' end,
             'family', (select format('%I.%I', s.nspname, f.opfname) from pg_opfamily f join pg_namespace s on s.oid = f.opfnamespace where f.oid = c.opcfamily),
             'storage', format_type(nullif(c.opckeytype, 0), null)]::text[]
from pg_opclass c join pg_namespace n on n.oid = c.opcnamespace join pg_am m on m.oid = c.opcmethod where c.oid >= 16384
union all
-- What a family's payload tells.
select 'pg_amop'::regclass::oid, oid, 0, null, null, null, 'pg_opfamily'::regclass::oid, amopfamily, 0, null from pg_amop where oid >= 16384
union all
select 'pg_amproc'::regclass::oid, oid, 0, null, null, null, 'pg_opfamily'::regclass::oid, amprocfamily, 0, null from pg_amproc where oid >= 16384
union all
select 'pg_cast'::regclass::oid, c.oid, 0, 'cast', '{}'::text[],
       '(' || format_type(c.castsource, null) || ' as ' || format_type(c.casttarget, null) || ')', 0, 0, 0,
       array['function', nullif(c.castfunc, 0)::regprocedure::text,
             'method', case c.castmethod when 'b' then 'binary' when 'i' then 'inout' end,
             'context', case c.castcontext when 'a' then 'assignment' when 'i' then 'implicit' else 'explicit' end]::text[]
from pg_cast c where c.oid >= 16384
union all
select 'pg_transform'::regclass::oid, t.oid, 0, 'transform', '{}'::text[],
       'for ' || format_type(t.trftype, null) || ' language ' || l.lanname, 0, 0, 0,
       array['from sql', nullif(t.trffromsql, 0)::regprocedure::text, 'to sql', nullif(t.trftosql, 0)::regprocedure::text]::text[]
from pg_transform t join pg_language l on l.oid = t.trflang where t.oid >= 16384
