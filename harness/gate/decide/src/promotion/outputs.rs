//! What `gate promote` and `gate rollback` print, for one plan: the plan, and how a run ends.

use std::path::Path;

use stagegate_base::exit::Exit;

use super::{End, Entry, Kind, Line, VERSION, end_text, manual_steps, tests::plan};

fn compare(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

fn rollback() -> Kind {
    Kind::Rollback { run: "20260102-030405-ab12".to_owned(), data: true }
}

#[test]
fn a_plan_as_it_is_confirmed() {
    compare("promote_plan", &plan(Kind::Promote).text());
    compare("rollback_plan", &plan(rollback()).text());
}

#[test]
fn each_end_with_the_commands_that_follow() {
    let plan = plan(Kind::Promote);
    let ends = [
        (End::Promoted, Exit::Passed),
        (End::Blocked, Exit::Held),
        (End::Blocked, Exit::Inconclusive),
        (End::Aborted, Exit::Held),
        (End::RolledBack, Exit::RolledBack),
        (End::NotVerified, Exit::PersonNeeded),
        (End::Stuck, Exit::PersonNeeded),
        (End::Abandoned, Exit::PersonNeeded),
    ];
    let lines = ends.iter().flat_map(|(end, exit)| {
        let entry = Entry::Ended { end: *end, exit: *exit };
        let (run, boot, wall, prev) = (plan.run.clone(), String::new(), String::new(), String::new());
        let last = Line { v: VERSION, seq: 0, run, boot, wall, entry, prev };
        let commands = manual_steps(&plan, Path::new("/var/lib/stagegate/shop-production/runs/run-1"), &[last], &[]);
        let commands = commands.into_iter().map(|line| format!("  {line}"));
        std::iter::once(format!("{} ({})", end_text(&plan, *end, *exit), exit.code()))
            .chain(commands)
            .collect::<Vec<_>>()
    });
    compare("promote_ends", &lines.collect::<Vec<_>>().join("\n"));
}
