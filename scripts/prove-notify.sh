#!/usr/bin/env bash
# Proves messages to real receivers: mail by STARTTLS with a login (aiosmtpd), any service of Apprise by its program, a program,
# a webhook. Starts them, sends, reads what arrived. Prints a table. usage: scripts/prove-notify.sh
# needs python3 with venv, openssl and PyPI (aiosmtpd, apprise); builds gate if it is not there
set -euo pipefail

case ${1:-} in -h | --help) sed -n '2,4s/^# //p' "$0" && exit 0 ;; esac
# shellcheck source=scripts/prove-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/prove-lib.sh"
secrets='canary-[a-z]*-[0-9a-f]\{4\}\|wrong-canary-77'
venv=${NOTIFY_VENV:-$root/target/notify-venv}
[ -x "$venv/bin/apprise" ] || { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet aiosmtpd==1.4.6 apprise==2.3.0; }
export PATH="$venv/bin:$PATH"

# authority PREFIX: a certificate authority.
authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
    -addext 'basicConstraints=critical,CA:TRUE' -keyout "$1-key.pem" -out "$1-cert.pem" 2>>openssl.log
}
authority ca
authority other
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -keyout key.pem -out request.pem 2>>openssl.log
printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n' >extensions
openssl x509 -req -in request.pem -CA ca-cert.pem -CAkey ca-key.pem -CAcreateserial -days 2 -extfile extensions \
  -out cert.pem 2>>openssl.log
"$venv/bin/python" "$root/scripts/notify_receivers.py" "$work" 2>receivers.log &
processes+=($!)
wait_for 100 test -e ports
# shellcheck disable=SC1091
. ./ports

printf 'canary-mail-5d1f\n' >password
printf 'wrong-canary-77\n' >wrong-password
printf 'json://gate:canary-apprise-1c7e@127.0.0.1:%s/apprise\n' "$json" >urls
printf 'canary-key-9e21' >key
printf 'http://127.0.0.1:%s/hook/canary-hook-4b8d' "$json" >hook
# mail NAME HOST LINES: a receiver by mail.
mail() {
  printf '[[notify]]\nkind = "smtp"\nname = "%s"\nhost = "%s"\nport = %s\nfrom = "gate@example.org"\nto = ["ops@example.org", "b@example.org"]\n%s\n' \
    "$1" "$2" "$mail" "$3"
}
{
  printf '[project]\nname = "drop-once"\n[environments.staging]\n'
  mail letter localhost $'user = "stagegate"\ntoken_file = "password"\nca_file = "ca-cert.pem"'
  mail untrusted localhost $'user = "stagegate"\ntoken_file = "password"\nca_file = "other-cert.pem"'
  mail wrong-login localhost $'user = "stagegate"\ntoken_file = "wrong-password"\nca_file = "ca-cert.pem"'
  mail plain 127.0.0.1 $'tls = "none"'
  printf '[[notify]]\nkind = "apprise"\nurl_file = "urls"\n'
  printf '[[notify]]\nkind = "command"\ncommand = ["tee", "heard.json"]\n'
  printf '[[notify]]\nkind = "webhook"\nurl_file = "hook"\ntoken_file = "key"\n'
} >stagegate.toml

# letter PATTERN: what of the letters has it, decoded.
letter() {
  "$venv/bin/python" - "$1" <<'END'
import email, email.policy, glob, sys
for path in sorted(glob.glob("letters/*.eml")):
    letter = email.message_from_binary_file(open(path, "rb"), policy=email.policy.default)
    text = f"{letter['Subject']}\n{letter['Message-ID']}\n{letter['To']}\n{letter.get_content()}"
    if sys.argv[1] in text:
        print(text)
        sys.exit(0)
sys.exit(f"no letter has {sys.argv[1]}: {glob.glob('letters/*')}")
END
}

check 'a server that dies after DATA: not sent' 4 'letter: NOT sent: mail' "$gate" notify test letter
check 'mail by STARTTLS with a login' 0 'letter: sent' "$gate" notify test letter
check 'the letter has its text, id and both receivers' 0 'b@example.org' letter 'this is a test message'
check 'a certificate of another authority: not sent' 4 'untrusted: NOT sent: mail' "$gate" notify test untrusted
check 'a wrong password: not sent' 4 'wrong-login: NOT sent: mail.*535' "$gate" notify test wrong-login
check 'a server that requires STARTTLS gets nothing in plain text' 4 'plain: NOT sent: mail.*530' "$gate" notify test plain
check 'one letter, not more' 0 '^1$' sh -c 'ls letters | wc -l'
check 'Apprise hands on' 0 'apprise: sent' "$gate" notify test apprise
check 'what Apprise handed on has the text' 0 'this is a test message' sh -c 'grep -ho "\"message\": \"[^\"]*" json/*'
check 'a program reads JSON' 0 'command: sent' "$gate" notify test command
check 'what the program read' 0 '"v":1' cat heard.json
check 'a webhook' 0 'webhook: sent' "$gate" notify test webhook
check 'the configuration is shown without secrets' 0 'url_file\|file' "$gate" config
check 'nothing waits' 0 'no message waits' "$gate" notify pending
finish
