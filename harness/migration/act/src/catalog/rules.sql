-- Triggers, rewrite rules, policies, event triggers.
with relations as (
    select c.oid, n.nspname, c.relname, quote_ident(n.nspname) || '.' || quote_ident(c.relname) as shown
    from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid >= 16384 and c.relpersistence <> 't'
)
select 'pg_trigger'::regclass::oid, t.oid, 0, 'trigger', array[c.nspname, c.relname, t.tgname]::text[], null::text,
       'pg_class'::regclass::oid, c.oid, 0,
       array[
         'definition', replace(replace(pg_get_triggerdef(t.oid), ' TRIGGER ' || quote_ident(t.tgname) || ' ', ' TRIGGER '),
                               ' ON ' || c.shown || ' ', ' '),
         'state', case t.tgenabled when 'D' then 'disabled' when 'R' then 'replica' when 'A' then 'always' end,
         'inherited', case when t.tgparentid <> 0 then 'yes' end
       ]::text[]
from pg_trigger t join relations c on c.oid = t.tgrelid where not t.tgisinternal
union all
select 'pg_rewrite'::regclass::oid, r.oid, 0, case when r.rulename <> '_RETURN' then 'rule' end,
       array[c.nspname, c.relname, r.rulename]::text[], null, 'pg_class'::regclass::oid, c.oid, 0,
       array[
         'definition', case when r.rulename <> '_RETURN' then replace(regexp_replace(substr(pg_get_ruledef(r.oid),
                           length('CREATE RULE ' || quote_ident(r.rulename) || ' AS') + 1), '^\s+', ''), ' TO ' || c.shown || ' ', ' ') end,
         'state', case r.ev_enabled when 'D' then 'disabled' when 'R' then 'replica' when 'A' then 'always' end
       ]::text[]
from pg_rewrite r join relations c on c.oid = r.ev_class
union all
select 'pg_policy'::regclass::oid, p.oid, 0, 'policy', array[c.nspname, c.relname, p.polname]::text[], null,
       'pg_class'::regclass::oid, c.oid, 0,
       array[
         'command', case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end,
         'restrictive', case when not p.polpermissive then 'yes' end,
         'roles', (select string_agg(case when o = 0 then 'public' else quote_ident(pg_get_userbyid(o)) end, ', '
                                     order by case when o = 0 then 'public' else pg_get_userbyid(o)::text end collate "C") from unnest(p.polroles) o),
         'using', pg_get_expr(p.polqual, p.polrelid),
         'with check', pg_get_expr(p.polwithcheck, p.polrelid)
       ]::text[]
from pg_policy p join relations c on c.oid = p.polrelid
union all
select 'pg_event_trigger'::regclass::oid, e.oid, 0, 'event trigger', array[e.evtname]::text[], null, 0, 0, 0,
       array[
         'event', e.evtevent::text, 'function', e.evtfoid::regprocedure::text,
         'tags', (select string_agg(g, ', ' order by g collate "C") from unnest(e.evttags) g),
         'state', case e.evtenabled when 'D' then 'disabled' when 'R' then 'replica' when 'A' then 'always' end
       ]::text[]
from pg_event_trigger e
