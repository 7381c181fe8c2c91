//! Proofs on the real sample stack: real Docker, real PostgreSQL, the shipped program, killed for real.
//!
//! They need `scripts/setup.sh` and the images of all releases (`scripts/test.sh` sees to both), and build the `gate`
//! themselves.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a proof that cannot be set up has failed")]

mod ahead;
mod applied;
mod backup;
mod bad_migrations;
mod commands;
mod completions;
mod confirm;
mod contract;
mod crash;
mod doctor;
mod drift;
mod edges;
mod encrypted;
mod errors;
mod faults;
mod host;
mod host_runs;
mod init;
mod insists;
mod integrity;
mod kept;
mod load;
mod locks;
mod majors;
mod migrations;
mod monorepo;
mod notify;
mod outside;
mod performance;
mod plan_file;
mod policy;
mod ports;
mod promote;
mod ready;
mod reboot;
mod refuse;
mod salvage;
mod same_schema;
mod schedule;
mod schema;
mod scratch;
mod scripts;
mod sealed;
mod seed;
mod sessions;
mod shop;
mod small;
mod source;
mod sshd;
mod subset;
mod survive;
mod sync;
mod sync_faults;
mod ties;
mod two_services;
mod volumes;
mod watchdog;
mod workflows;
mod world;
mod zero_downtime;
