create schema stagegate_recorder;
-- The tables that were there before the migration, with the rows that the server thinks they have.
create table stagegate_recorder.known (oid oid primary key, name text not null);

-- Each event is a file of its own in the server's data folder: it outlasts a rollback, and writing it needs no
-- transaction id, which a command that must stand outside of a transaction would not bear.
create function stagegate_recorder.note(event jsonb) returns void language plpgsql set search_path = '' as $$
begin
    event := event || jsonb_build_object(
        'pid', pg_catalog.pg_backend_pid(), 'query', coalesce(pg_catalog.current_query(), ''),
        'transaction', extract(epoch from pg_catalog.transaction_timestamp())::float8,
        'message', extract(epoch from pg_catalog.statement_timestamp())::float8,
        'at', extract(epoch from pg_catalog.clock_timestamp())::float8,
        'lock_timeout', (select setting::int8 from pg_catalog.pg_settings where name = 'lock_timeout'),
        'locks', (select coalesce(jsonb_agg(jsonb_build_array(k.name, l.mode) order by k.name, l.mode), '[]')
                  from pg_catalog.pg_locks l join stagegate_recorder.known k on k.oid = l.relation
                  where l.pid = pg_catalog.pg_backend_pid() and l.granted and l.locktype = 'relation'
                    and l.database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
                    and l.mode in ('ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')),
        -- Rows that the session read or wrote and has not yet reported to the server's statistics: all of this transaction's.
        'rows', (select coalesce(sum(pg_catalog.pg_stat_get_xact_tuples_returned(k.oid)
                    + pg_catalog.pg_stat_get_xact_tuples_fetched(k.oid) + pg_catalog.pg_stat_get_xact_tuples_inserted(k.oid)
                    + pg_catalog.pg_stat_get_xact_tuples_updated(k.oid) + pg_catalog.pg_stat_get_xact_tuples_deleted(k.oid)), 0)::int8
                 from stagegate_recorder.known k));
    execute pg_catalog.format('copy (select %L::text) to %L with (format csv, quote e''\x01'', delimiter e''\x02'')', event::text,
        pg_catalog.current_setting('data_directory') || '/stagegate-recorder-' || pg_catalog.pg_backend_pid() || '-'
        || (extract(epoch from pg_catalog.clock_timestamp()) * 1000000)::int8);
end $$;

create function stagegate_recorder.ended() returns event_trigger language plpgsql set search_path = '' as $$
begin
    perform stagegate_recorder.note(jsonb_build_object('tag', tg_tag));
end $$;

create function stagegate_recorder.rewritten() returns event_trigger language plpgsql set search_path = '' as $$
begin
    perform stagegate_recorder.note(jsonb_build_object('tag', tg_tag, 'reason', pg_catalog.pg_event_trigger_table_rewrite_reason(),
        'rewritten', (select name from stagegate_recorder.known where oid = pg_catalog.pg_event_trigger_table_rewrite_oid())));
end $$;

create event trigger stagegate_recorder_ended on ddl_command_end execute function stagegate_recorder.ended();
create event trigger stagegate_recorder_rewritten on table_rewrite execute function stagegate_recorder.rewritten();
