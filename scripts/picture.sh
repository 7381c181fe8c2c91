#!/usr/bin/env bash
# Draws a text as a picture of a terminal.
#
# usage: scripts/picture.sh [--title TEXT] [--width COLUMNS] [FILE] > picture.svg
#
# Reads FILE, else standard input. Lines are wrapped at COLUMNS (100); their first word, as `gate` prints it, determines
# their colour: `$` a command, `ok`, `FAIL`, `back`, `commit`, `blocked`. Bytes are read as UTF-8; colour codes are removed.
set -euo pipefail

title=gate width=100

usage() { sed -n '2,/^set /{/^#/!d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; }

die() { printf 'error: %s\n' "$*" >&2; exit 2; }

while [ $# -gt 0 ]; do
  case $1 in
    --title) title=${2:?--title needs a text}; shift ;;
    --width) width=${2:?--width needs a number}; shift ;;
    -h | --help) usage; exit 0 ;;
    -*) usage >&2; die "unknown option \`$1\`" ;;
    *) break ;;
  esac
  shift
done
if ! [[ $width =~ ^[0-9]+$ ]] || [ "$width" -lt 40 ]; then die "--width is a number of at least 40, found \`$width\`"; fi
[ $# -le 1 ] || die "one file at a time"
if [ $# -eq 1 ] && [ ! -r "$1" ]; then die "cannot read $1"; fi

# Control characters but tabs and line ends have no place in XML.
sed -e $'s/\x1b\\[[0-9;?]*[A-Za-z]//g' -- "${1:-/dev/stdin}" | LC_ALL=C tr -d '\000-\010\013-\037\177' |
  awk -v title="$title" -v width="$width" '
function escaped(text) {
  gsub(/&/, "\\&amp;", text); gsub(/</, "\\&lt;", text); gsub(/>/, "\\&gt;", text); gsub(/"/, "\\&quot;", text)
  return text
}

function colour(text) {
  if (text ~ /^\$ /) return "command"
  if (text ~ /^(ok |PASS |PASSED |commit:|promoted)/) return "good"
  if (text ~ /^(FAIL|BROKEN|BLOCKED|blocked|STUCK|error)/) return "bad"
  if (text ~ /^(undo|rolling back|SKIP|WARN|rolled back|interrupted)/) return "way-back"
  if (text ~ /^(run |hint)/) return "dim"
  return "plain"
}

function add(text, class) { count += 1; texts[count] = text; classes[count] = class }

function wrap(text,    class, at, indent) {
  class = colour(text)
  indent = ""
  while (length(indent text) > width) {
    at = width - length(indent)
    while (at > 20 && substr(text, at, 1) != " ") at -= 1
    if (at <= 20) at = width - length(indent)
    add(indent substr(text, 1, at), class)
    if (class == "good") class = "plain"
    text = substr(text, at + 1)
    sub(/^ +/, "", text)
    indent = "     "
  }
  add(indent text, class)
}

{ gsub(/\t/, "    "); wrap($0) }

END {
  step = 20; left = 20; top = 62
  wide = int(width * 8.43 + 2 * left); high = top + count * step + 4
  printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\">\n", wide, high, wide, high
  printf "<title>%s</title>\n", escaped(title)
  print "<style>"
  print "text { font: 14px ui-monospace, \"SFMono-Regular\", \"DejaVu Sans Mono\", Menlo, Consolas, monospace; white-space: pre }"
  print ".plain { fill: #d0d7de } .dim { fill: #8b949e } .command { fill: #ffffff; font-weight: bold }"
  print ".good { fill: #56d364 } .bad { fill: #ff7b72 } .way-back { fill: #e3b341 }"
  print "</style>"
  printf "<rect width=\"%d\" height=\"%d\" rx=\"8\" fill=\"#0d1117\"/>\n", wide, high
  print "<circle cx=\"22\" cy=\"20\" r=\"6\" fill=\"#ff5f57\"/><circle cx=\"42\" cy=\"20\" r=\"6\" fill=\"#febc2e\"/><circle cx=\"62\" cy=\"20\" r=\"6\" fill=\"#28c840\"/>"
  printf "<text x=\"%d\" y=\"25\" text-anchor=\"middle\" class=\"dim\">%s</text>\n", wide / 2, escaped(title)
  for (i = 1; i <= count; i += 1) {
    y = top + (i - 1) * step
    # Of a step that went well only the first word is coloured: the eye looks for the one that did not.
    if (classes[i] == "good" && match(texts[i], /^(ok|PASS) /)) {
      word = substr(texts[i], 1, RLENGTH); rest = substr(texts[i], RLENGTH + 1)
      printf "<text x=\"%d\" y=\"%d\" xml:space=\"preserve\"><tspan class=\"good\">%s</tspan><tspan class=\"plain\">%s</tspan></text>\n", left, y, escaped(word), escaped(rest)
    } else {
      printf "<text x=\"%d\" y=\"%d\" class=\"%s\" xml:space=\"preserve\">%s</text>\n", left, y, classes[i], escaped(texts[i])
    }
  }
  print "</svg>"
}'
