-- Functions, procedures, aggregates. Overloads are told apart by the types of their arguments, as the server does.
select 'pg_proc'::regclass::oid, p.oid, 0,
       case p.prokind when 'p' then 'procedure' when 'a' then 'aggregate' else 'function' end,
       array[n.nspname, p.proname]::text[], '(' || oidvectortypes(p.proargtypes) || ')',
       'pg_namespace'::regclass::oid, n.oid, 0,
       array[
         'arguments', nullif(pg_get_function_arguments(p.oid), ''),
         'returns', case when p.prokind <> 'p' then pg_get_function_result(p.oid) end,
         'language', case when p.prokind <> 'a' then l.lanname::text end,
         'window', case when p.prokind = 'w' then 'yes' end,
         'volatility', case p.provolatile when 'i' then 'immutable' when 's' then 'stable' end,
         'strict', case when p.proisstrict then 'yes' end,
         'security definer', case when p.prosecdef then 'yes' end,
         'leakproof', case when p.proleakproof then 'yes' end,
         'parallel', case p.proparallel when 's' then 'safe' when 'r' then 'restricted' end,
         'cost', case when p.procost <> case when l.lanname in ('internal', 'c') then 1 else 100 end then p.procost::text end,
         'rows', case when p.proretset and p.prorows <> 1000 then p.prorows::text end,
         'support', case when p.prosupport <> 0 then p.prosupport::regprocedure::text end,
         'settings', (select string_agg(c, e'\n' order by c collate "C") from unnest(p.proconfig) c),
         'library', p.probin,
         'body', case when p.prokind = 'a' then null when p.prosqlbody is not null then pg_get_function_sqlbody(p.oid) else p.prosrc end,
         'kind', case a.aggkind when 'o' then 'ordered set' when 'h' then 'hypothetical set' end,
         'transition', case when a.aggtransfn <> 0 then a.aggtransfn::regprocedure::text end,
         'state', case when a.aggtranstype <> 0 then format_type(a.aggtranstype, null) end,
         'state size', nullif(a.aggtransspace, 0)::text,
         'initial', a.agginitval,
         'final', case when a.aggfinalfn <> 0 then a.aggfinalfn::regprocedure || case when a.aggfinalextra then ' extra' else '' end end,
         'final modifies', case when a.aggfinalmodify <> case when a.aggkind = 'n' then 'r' else 'w' end then a.aggfinalmodify::text end,
         'combine', case when a.aggcombinefn <> 0 then a.aggcombinefn::regprocedure::text end,
         'serialise', case when a.aggserialfn <> 0 then a.aggserialfn::regprocedure::text end,
         'deserialise', case when a.aggdeserialfn <> 0 then a.aggdeserialfn::regprocedure::text end,
         'sort operator', case when a.aggsortop <> 0 then a.aggsortop::regoperator::text end,
         'moving', case when a.aggmtransfn <> 0 then concat_ws(' ', a.aggmtransfn::regprocedure, a.aggminvtransfn::regprocedure,
                        nullif(a.aggmfinalfn, 0)::regprocedure, format_type(a.aggmtranstype, null), a.aggminitval) end
       ]::text[]
from pg_proc p
join pg_namespace n on n.oid = p.pronamespace
join pg_language l on l.oid = p.prolang
left join pg_aggregate a on a.aggfnoid = p.oid
where p.oid >= 16384 and n.nspname !~ '^pg_temp'
