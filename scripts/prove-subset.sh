#!/usr/bin/env bash
# Copies subsets of random schemas between two databases of a real server: cycles, keys of a table to itself, composite keys, keys
# to unique columns, partitions, columns that are null and that must not be. Of each copy all constraints must be validated, each
# root must be there, and exactly the rows that the roots need. Prints a table, with the seed by which a run is repeated.
# usage: scripts/prove-subset.sh [--schemas N] [--seed N] [--major 15|17|18]     (200 schemas from seed 1000 on PostgreSQL 17 by default)
set -euo pipefail

schemas=200 seed=1000 major=17
while [ $# -gt 0 ]; do
  case $1 in
    --schemas) schemas=${2:?$1 needs a value}; shift ;;
    --seed) seed=${2:?$1 needs a value}; shift ;;
    --major) major=${2:?$1 needs a value}; shift ;;
    *) sed -n '2,5s/^# //p' "$0"; [ "$1" = -h ] || [ "$1" = --help ] || exit 2; exit 0 ;;
  esac
  shift
done
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export STAGEGATE_PROOF_SEED=$seed STAGEGATE_PROOF_SCHEMAS=$schemas STAGEGATE_PROOF_MAJOR=$major
exec cargo test --locked --package stagegate-proof --test proof -- --ignored --exact --nocapture subset::subsets_of_many_random_schemas
