//! Takes throw-away stacks down: at the end, after a signal, and those that a killed run left.

use std::{path::Path, time::Duration};

use futures_util::future::join_all;
use stagegate_base::{
    command::{Command, compose},
    compose::RUN_LABEL,
};
use stagegate_host::{
    engine::{Engine, PROJECT_LABEL},
    error::with_causes,
    owner::Claim,
    process::{self, RunError, Runner},
};

const DOWN_WITHIN: Duration = Duration::from_secs(60);
const LIST_WITHIN: Duration = Duration::from_secs(15);

/// Returns the mark that the children of a stack's `up` carry.
pub(super) fn mark(project: &str) -> String {
    format!("{project}/ephemeral")
}

/// Takes a stack's containers, networks and volumes away; that they are gone already is fine.
///
/// # Errors
/// What Compose reported.
pub(super) async fn take_down(project: &str) -> Result<(), RunError> {
    // An `up` that is still at work would make again what is taken away here.
    let mark = mark(project);
    let _ = process::end_marked(|found| found == mark);
    // The data is thrown away, so nothing needs its time to stop; Compose would grant 10 s.
    if let Ok(engine) = Engine::connect().await {
        let containers = engine.project(project).await.unwrap_or_default();
        join_all(containers.iter().map(|c| engine.remove(&c.id))).await;
    }
    // Not in a folder of the user's: Compose would take the compose file there for the project's.
    let down = compose::down(project, true).in_dir(Path::new("/"));
    Runner::default().run_ok(&down, DOWN_WITHIN).await.map(drop)
}

/// Takes down the stacks that killed runs left, and returns their projects.
pub(super) async fn sweep() -> Vec<String> {
    let mut left: Vec<String> = claimed()
        .await
        .into_iter()
        .filter(|(_, claim)| claim.is_abandoned_here())
        .map(|(project, _)| project)
        .collect();
    left.sort();
    left.dedup();
    for project in &left {
        if let Err(error) = take_down(project).await {
            super::print_message(&format!("cannot remove the left-over stack {project}: {}", with_causes(&error)));
        }
        let _ = super::home::remove(project);
    }
    left
}

/// Lists what carries a claim: containers, networks and volumes, since a killed `down` leaves any of them.
async fn claimed() -> Vec<(String, Claim)> {
    let runner = Runner::default();
    let lists = [["ps", "--all"].as_slice(), &["network", "ls"], &["volume", "ls"]].map(labels);
    let texts = join_all(lists.iter().map(|list| runner.run_ok(list, LIST_WITHIN))).await;
    texts.iter().flatten().flat_map(|text| text.lines()).filter_map(claim_of).collect()
}

fn labels(list: &[&str]) -> Command {
    let format = format!("{{{{.Label \"{PROJECT_LABEL}\"}}}}\t{{{{.Label \"{RUN_LABEL}\"}}}}");
    let filter = format!("label={RUN_LABEL}");
    Command::new("docker").args(list.iter().copied()).args(["--filter", &filter, "--format", &format])
}

fn claim_of(line: &str) -> Option<(String, Claim)> {
    let (project, label) = line.split_once('\t')?;
    // The name is checked too: whatever a label states, only a throw-away project is taken down.
    project.starts_with(super::NAME).then(|| Some((project.to_owned(), Claim::parse(label)?)))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_throw_away_project_with_a_claim_is_a_leftover() {
        let label = "ephemeral/1/2/boot-3/4";
        assert!(claim_of(&format!("stagegate-eph-00aa11bb\t{label}")).is_some());
        assert!(claim_of(&format!("shop-production\t{label}")).is_none());
        assert!(claim_of("stagegate-eph-00aa11bb\tproduction/run-1").is_none());
        assert!(claim_of("stagegate-eph-00aa11bb\t").is_none());
    }

    #[test]
    fn the_list_requires_our_label_only() {
        let line = labels(&["volume", "ls"]).line();
        assert!(line.starts_with("docker volume ls --filter label=dev.stagegate.run --format"), "{line}");
    }
}
