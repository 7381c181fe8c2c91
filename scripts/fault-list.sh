# shellcheck shell=bash disable=SC2034
# The faults of scripts/fault-matrix.sh. Sourced, never run.
#
# A line each: name | what happens | release | where in the journal, one cell each | after up to .. ms more | quick.
# fire_NAME makes it happen, and fails where it did not. before_NAME and after_NAME, where they are there, prepare it and take
# it away once the gate has ended; unstick_NAME removes the cause where the run asks for a person.

FAULTS='
sigterm        | SIGTERM to gate                                 | good     | begun:back_up begun:clone begun:migrate begun:verify | 1500 | yes
interrupt      | Ctrl-C once                                     | good     | begun:rehearse begun:freeze begun:migrate begun:deploy | 1500 | yes
interrupt2     | Ctrl-C, and twice more in the rollback          | good     | begun:migrate begun:verify | 1500 | yes
hangup         | the terminal is closed                          | good     | begun:migrate begun:verify | 1500 |
kill           | SIGKILL to gate                                 | good     | begun:freeze begun:clone begun:migrate begun:deploy begun:verify | 1500 | yes
kill_late      | SIGKILL to gate in its rollback                 | late     | undo_begun:migrate undo_begun:clone begun:start_previous | 300 |
kill_recovery  | SIGKILL to gate and watchdog; Ctrl-C in gate resume | late | begun:verify | 1000 | yes
stop           | SIGSTOP to gate, beyond its time                | good     | begun:migrate | 500 |
pg_kill        | PostgreSQL killed                               | good     | begun:back_up begun:clone begun:migrate begun:deploy begun:verify | 500 | yes
pg_kill_undo   | PostgreSQL killed in the rollback               | late     | undo_begun:migrate undo_begun:freeze | 200 |
pg_stop        | PostgreSQL stopped before the rollback needs it | late     | decided:rollback | 0 |
pg_pause       | PostgreSQL hangs for 12 s in the rollback       | late     | undo_begun:migrate | 0 | yes
pg_remove      | the database container is removed               | good     | begun:migrate | 1000 |
cut            | packets to PostgreSQL dropped for 20 s          | good     | begun:clone begun:migrate | 500 |
cut_undo       | packets to PostgreSQL dropped for 20 s in the rollback | late     | undo_begun:migrate | 0 | yes
network        | the database loses its network for 10 s         | good     | begun:migrate | 1500 |
full           | the disk of the state folder is full            | good     | begun:back_up begun:migrate | 0 | yes
image          | the image of the release is removed             | good     | begun:freeze | 0 |
variable       | a variable is removed from the env file         | late     | begun:deploy | 0 |
files          | files of the release and working copy are edited | good    | begun:back_up | 0 |
double         | 20 more starts                                  | good     | begun:back_up | 0 |
prepared       | a prepared transaction after the preflight      | good     | done:preflight | 0 |
slot           | a logical replication slot                      | late     | begun:freeze | 0 |
transaction    | a transaction stays open from before the freeze | good     | begun:rehearse | 0 |
locker         | sessions come back at once and lock the table   | late     | begun:migrate | 0 |
reconnect      | 20 sessions come back at once, all the time     | late     | begun:freeze | 0 |
flapping       | a healthcheck that fails every other second     | flapping | done:deploy | 0 |
web_removed    | the new container is removed by hand            | good     | begun:verify | 500 |
port           | the port is taken when it is to be opened       | good     | done:deploy | 0 |
hook_hang      | the notified program hangs                      | good     | begun:notify | 0 |
hook_fork      | the notified program leaves a process           | good     | begun:notify | 0 |
hook_flood     | the notified program writes without end         | late     | begun:notify | 0 |
clock_forward  | the clock jumps 2 h ahead                       | good     | begun:migrate | 500 |
clock_back     | the clock jumps 2 h back                        | late     | begun:verify | 500 |
'

fire_sigterm() { kill -TERM "$gate_pid"; }
fire_interrupt() { kill -INT "$gate_pid"; }
fire_interrupt2() {
  kill -INT "$gate_pid"
  reached decided:rollback 30
  kill -INT "$gate_pid"
  pause 1500
  # It is rolling back now, or it has ended.
  ! kill -INT "$gate_pid" 2>/dev/null || kill -TERM "$gate_pid" 2>/dev/null || true
}
# Its output goes into a pipe that nobody reads any more.
before_hangup() { output=closed; }
fire_hangup() { kill -HUP "$gate_pid"; }
after_hangup() { output=; }

fire_kill() { kill -KILL "$gate_pid"; }
fire_kill_late() { kill -KILL "$gate_pid"; }
fire_kill_recovery() {
  local resume
  kill -KILL "$(sed 's/.*"process":\([0-9]*\).*/\1/' "$run_dir/watchdog.json")" "$gate_pid"
  env --default-signal=INT "$gate" resume --env production >"$dir/resume" 2>&1 &
  resume=$!
  reached decided:rollback 60 && pause 1000 && kill -INT "$resume" && pause 1000
  # The second one meets nobody where the first one has ended it.
  kill -INT "$resume" 2>/dev/null || true
  resumed=0
  wait "$resume" || resumed=$?
}
# Rolled back and verified, by this very process.
problem_kill_recovery() { [ "$resumed" = 5 ] || echo "gate resume ended with $resumed before the rollback did"; }
fire_stop() { kill -STOP "$gate_pid"; }

fire_pg_kill() { kill -KILL "$(container db '{{.State.Pid}}')"; }
fire_pg_kill_undo() { fire_pg_kill; }
fire_pg_stop() { docker stop --time 0 "$target-db-1" >/dev/null; }
fire_pg_pause() { docker pause "$target-db-1" >/dev/null && sleep 12 && docker unpause "$target-db-1" >/dev/null; }
fire_pg_remove() { docker rm --force "$target-db-1" >/dev/null; }

drop_packets() { iptables "$1" OUTPUT --destination "$db_address" --protocol tcp --dport 5432 --jump DROP; }
fire_cut() {
  db_address=$(container db '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}')
  drop_packets --insert && sleep 20 && drop_packets --delete
}
fire_cut_undo() { fire_cut; }
fire_network() {
  docker network disconnect --force "$network" "$target-db-1" && sleep 10 &&
    docker network connect --alias db "$network" "$target-db-1"
}

fire_full() { head -c 1G /dev/zero >"$dir/state/filler" 2>/dev/null; [ "$(df --output=avail "$dir/state" | tail -n 1)" -lt 64 ]; }
after_full() { rm -f "$dir/state/filler"; }

fire_image() {
  docker compose --project-name "$name-staging" rm --stop --force web >/dev/null 2>&1
  staged=none
  local id tag
  id=$(docker image inspect --format '{{.Id}}' "$name/web:good")
  docker image rm --force "$id" >/dev/null && ! docker image inspect "$id" >/dev/null 2>&1
}
after_image() { image_of good "$(sed -n 's/^NGINX_IMAGE=//p' "$root/.stagegate/images.env")"; }
fire_variable() { cp "$dir/production.env" "$dir/production.env.whole" && sed -i /GREETING/d "$dir/production.env"; }
after_variable() { cp "$dir/production.env.whole" "$dir/production.env"; }
fire_files() { echo 'exit 1' >>"$dir/production/s/start.sh"; echo '# edited' >>"$dir/product/compose.yml"; }
after_files() { git -C "$dir/product" checkout --quiet -- .; }

fire_double() {
  local n
  for n in $(seq 20); do
    ( code=0; timeout 5 "$gate" promote --from staging --to production --yes >/dev/null 2>&1 || code=$?; echo "$code" >"$dir/start-$n" ) &
    starts[n]=$!
  done
  wait "${starts[@]}"
}
problem_double() { local codes; codes=$(sort -u "$dir"/start-* | tr '\n' ' '); [ "$codes" = '7 ' ] || echo "the other starts ended with $codes"; }
fire_prepared() { sql app "begin; update item set text = text where id = 1; prepare transaction 'held'" && [ "$(sql app 'select count(*) from pg_prepared_xacts')" = 1 ]; }
after_prepared() { sql app "rollback prepared 'held'"; }
before_slot() { sql app "select pg_create_logical_replication_slot('feed', 'pgoutput')" >/dev/null; }
fire_slot() { [ "$(sql postgres 'select count(*) from pg_replication_slots')" = 1 ]; }
after_slot() { sql "$(sql postgres 'select database from pg_replication_slots')" "select pg_drop_replication_slot('feed')"; }

# SQL in N sessions of production that come back at once when they are ended, until after_sessions.
sessions() {
  docker exec --detach "$target-db-1" bash -c "touch /tmp/again; for i in \$(seq $1); do
    (while [ -e /tmp/again ]; do psql -qAtX -U app -d app -c \"set application_name = 'pest'\" -c \"$2\" >/dev/null 2>&1; done) & done; wait"
  local _
  for _ in $(seq 100); do [ "$(sql postgres "select count(*) from pg_stat_activity where query like '%pg_sleep%' or application_name = 'pest'")" -lt 2 ] || return 0; sleep 0.1; done
}
after_sessions() {
  in_db rm -f /tmp/again
  sql postgres "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pest'" >/dev/null
}
fire_transaction() { sessions 1 'begin; update item set text = text where id = 1; select pg_sleep(300)'; }
after_transaction() { after_sessions; }
fire_locker() { sessions 2 'begin; lock table item; select pg_sleep(4)'; }
after_locker() { after_sessions; }
fire_reconnect() { sessions 20 'select 1'; }
after_reconnect() { after_sessions; }

fire_flapping() { local _; for _ in $(seq 100); do [ "$(container web '{{.State.Health.Status}}')" != unhealthy ] || return 0; sleep 0.1; done; return 1; }
fire_web_removed() { docker rm --force "$target-web-1" >/dev/null; }
fire_port() {
  python3 -c "import socket, time; s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('127.0.0.1', $web_port)); s.listen(); print('bound', flush=True); time.sleep(600)" >"$dir/bound" &
  listener=$!
  local _
  for _ in $(seq 50); do [ ! -s "$dir/bound" ] || return 0; sleep 0.1; done
  return 1
}
unstick_port() { kill "$listener"; }

before_hook_hang() { hook 'sleep 600'; }
fire_hook_hang() { local _; for _ in $(seq 50); do ! pgrep -f "$dir/hook/notify.sh" >/dev/null || return 0; sleep 0.1; done; return 1; }
after_hook_hang() { hook true; }
before_hook_fork() { hook "setsid sleep 599 & touch $dir/hook/fired"; }
fire_hook_fork() { local _; for _ in $(seq 50); do [ ! -e "$dir/hook/fired" ] || return 0; sleep 0.1; done; return 1; }
after_hook_fork() { hook true; rm -f "$dir/hook/fired"; }
problem_hook_fork() { ! pgrep -fx 'sleep 599' >/dev/null || echo "I4: the process that the program left is there"; }
before_hook_flood() { hook "touch $dir/hook/fired; yes"; }
fire_hook_flood() { fire_hook_fork; }
after_hook_flood() { after_hook_fork; }
problem_hook_flood() { [ "$(stat -c %s "$run_dir/run.log")" -lt 33554432 ] || echo "run.log has $(stat -c %s "$run_dir/run.log") bytes"; }

# The library reads the time from a file, each time anew; the clock that counts since boot is left alone.
before_clock_forward() { echo +0 >"$dir/clock"; clock=$(faketime_library); }
# The next line is written when the step ends, which may take a while.
fire_clock_forward() {
  echo +2h >"$dir/clock"
  local _
  for _ in $(seq 300); do
    [ "$(wall_of_last_line)" -le $(($(date +%s) + 7000)) ] || return 0
    sleep 0.2
  done
  return 1
}
after_clock_forward() { clock=; }
before_clock_back() { before_clock_forward; }
fire_clock_back() { echo -2h >"$dir/clock" && reached decided:rollback 60 && [ "$(wall_of_last_line)" -lt $(($(date +%s) - 7000)) ]; }
after_clock_back() { clock=; }
# Without it the clock stays as it is, and the row reports that nothing happened.
faketime_library() {
  local found=${FAKETIME_LIBRARY:-$(find /usr/lib -name libfaketime.so.1 2>/dev/null | head -n 1)}
  [ -f "$found" ] || note "no libfaketime: apt-get install libfaketime, or FAKETIME_LIBRARY=FILE"
  echo "$found"
}
wall_of_last_line() { date -d "$(tail -n 1 "$run_dir/journal.jsonl" | sed 's/.*"wall":"\([^"]*\)".*/\1/')" +%s; }
