-- Foreign data, publications and subscriptions, text search.
with shown as (
    -- Options with what may be a secret taken out.
    select kind, oid, string_agg(case when o ~* '^[^=]*(passw|secret|token|credential)' then split_part(o, '=', 1) || '=***' else o end,
                                 ', ' order by o collate "C") as options
    from (select 'wrapper' as kind, oid, fdwoptions as all_options from pg_foreign_data_wrapper
          union all select 'server', oid, srvoptions from pg_foreign_server
          union all select 'mapping', umid, umoptions from pg_user_mappings) x, unnest(all_options) o
    group by kind, oid
)
select 'pg_foreign_data_wrapper'::regclass::oid, w.oid, 0, 'foreign data wrapper', array[w.fdwname]::text[], null::text, 0::oid, 0::oid, 0,
       array['handler', nullif(w.fdwhandler, 0)::regprocedure::text, 'validator', nullif(w.fdwvalidator, 0)::regprocedure::text, 'options', o.options]::text[]
from pg_foreign_data_wrapper w left join shown o on o.kind = 'wrapper' and o.oid = w.oid
union all
select 'pg_foreign_server'::regclass::oid, s.oid, 0, 'foreign server', array[s.srvname]::text[], null, 0, 0, 0,
       array['wrapper', w.fdwname, 'type', s.srvtype, 'version', s.srvversion, 'options', o.options]::text[]
from pg_foreign_server s join pg_foreign_data_wrapper w on w.oid = s.srvfdw left join shown o on o.kind = 'server' and o.oid = s.oid
union all
select 'pg_user_mapping'::regclass::oid, m.umid, 0, 'user mapping', array[m.srvname, m.usename]::text[], null,
       'pg_foreign_server'::regclass::oid, m.srvid, 0, array['options', o.options]
from pg_user_mappings m left join shown o on o.kind = 'mapping' and o.oid = m.umid
union all
select 'pg_publication'::regclass::oid, p.oid, 0, 'publication', array[p.pubname]::text[], null, 0, 0, 0,
       array['all tables', case when p.puballtables then 'yes' end,
             'publishes', concat_ws(', ', case when p.pubinsert then 'insert' end, case when p.pubupdate then 'update' end,
                                    case when p.pubdelete then 'delete' end, case when p.pubtruncate then 'truncate' end),
             'via root', case when p.pubviaroot then 'yes' end,
             'generated columns', nullif(to_jsonb(p) ->> 'pubgencols', 'n'),
             'schemas', (select string_agg(n.pnnspid::regnamespace::text, ', ' order by n.pnnspid::regnamespace::text collate "C")
                         from pg_publication_namespace n where n.pnpubid = p.oid)]::text[]
from pg_publication p
union all
select 'pg_publication_rel'::regclass::oid, r.oid, 0, 'publication table', array[p.pubname, n.nspname, c.relname]::text[], null,
       'pg_publication'::regclass::oid, p.oid, 0,
       array['columns', (select string_agg(quote_ident(a.attname), ', ' order by a.attnum) from pg_attribute a
                         where a.attrelid = r.prrelid and a.attnum = any (r.prattrs)),
             'where', pg_get_expr(r.prqual, r.prrelid)]::text[]
from pg_publication_rel r join pg_publication p on p.oid = r.prpubid join pg_class c on c.oid = r.prrelid join pg_namespace n on n.oid = c.relnamespace
union all
select 'pg_publication_namespace'::regclass::oid, oid, 0, null, null, null, 'pg_publication'::regclass::oid, pnpubid, 0, null from pg_publication_namespace
union all
select 'pg_subscription'::regclass::oid, s.oid, 0, 'subscription', array[s.subname]::text[], null, 0, 0, 0,
       array['connection', regexp_replace(s.subconninfo, 'password\s*=\s*(''[^'']*''|\S+)|(://[^:/@]*):[^@]*@', '\2password=***', 'gi'),
             'publications', array_to_string(s.subpublications, ', '), 'enabled', case when s.subenabled then 'yes' else 'no' end,
             'slot', s.subslotname::text, 'synchronous commit', nullif(s.subsynccommit, 'off'),
             'binary', case when s.subbinary then 'yes' end, 'streaming', nullif(nullif(to_jsonb(s) ->> 'substream', 'false'), 'f'),
             -- The server goes from pending to enabled by itself.
             'two phase', case when s.subtwophasestate <> 'd' then 'on' end, 'disable on error', case when s.subdisableonerr then 'yes' end,
             'origin', nullif(to_jsonb(s) ->> 'suborigin', 'any'), 'failover', nullif(to_jsonb(s) ->> 'subfailover', 'false'),
             'run as owner', nullif(to_jsonb(s) ->> 'subrunasowner', 'false'), 'password required', nullif(to_jsonb(s) ->> 'subpasswordrequired', 'true')]::text[]
from pg_subscription s join pg_database d on d.oid = s.subdbid where d.datname = current_database()
union all
select 'pg_ts_config'::regclass::oid, c.oid, 0, 'text search configuration', array[n.nspname, c.cfgname]::text[], null,
       'pg_namespace'::regclass::oid, n.oid, 0,
       array['parser', (select format('%I.%I', s.nspname, p.prsname) from pg_ts_parser p join pg_namespace s on s.oid = p.prsnamespace where p.oid = c.cfgparser),
             'mappings', (select string_agg(t.alias || ' ' || m.dictionaries, e'\n' order by t.alias collate "C") from ts_token_type(c.cfgparser) t
                          join (select maptokentype, string_agg(mapdict::regdictionary::text, ', ' order by mapseqno) as dictionaries
                                from pg_ts_config_map where mapcfg = c.oid group by 1) m on m.maptokentype = t.tokid)]::text[]
from pg_ts_config c join pg_namespace n on n.oid = c.cfgnamespace where c.oid >= 16384
union all
select 'pg_ts_dict'::regclass::oid, d.oid, 0, 'text search dictionary', array[n.nspname, d.dictname]::text[], null,
       'pg_namespace'::regclass::oid, n.oid, 0,
       array['template', (select format('%I.%I', s.nspname, t.tmplname) from pg_ts_template t join pg_namespace s on s.oid = t.tmplnamespace where t.oid = d.dicttemplate),
             'options', d.dictinitoption]::text[]
from pg_ts_dict d join pg_namespace n on n.oid = d.dictnamespace where d.oid >= 16384
union all
select 'pg_ts_parser'::regclass::oid, p.oid, 0, 'text search parser', array[n.nspname, p.prsname]::text[], null,
       'pg_namespace'::regclass::oid, n.oid, 0,
       array['functions', concat_ws(', ', p.prsstart, p.prstoken, p.prsend, nullif(p.prsheadline, 0)::regproc, p.prslextype)]::text[]
from pg_ts_parser p join pg_namespace n on n.oid = p.prsnamespace where p.oid >= 16384
union all
select 'pg_ts_template'::regclass::oid, t.oid, 0, 'text search template', array[n.nspname, t.tmplname]::text[], null,
       'pg_namespace'::regclass::oid, n.oid, 0, array['init', nullif(t.tmplinit, 0)::regproc::text, 'lexize', t.tmpllexize::text]::text[]
from pg_ts_template t join pg_namespace n on n.oid = t.tmplnamespace where t.oid >= 16384
