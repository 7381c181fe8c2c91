//! Policy: are the compose files, and the containers made from them, as rules of operation want them?
//!
//! One trial a rule, over all services. The rules are in `stagegate_policy_decide::rules`; here they are asked of an environment.

mod rule;

use std::sync::Arc;

use crate::trial::{Scope, Suite, Trial};

/// The suite.
pub(crate) const SUITE: Suite = Suite { name: "policy", trials };

fn trials(_: Scope<'_>) -> Vec<Trial> {
    let audit = Arc::default();
    stagegate_policy_decide::rules::rules().into_iter().map(|rule| rule::trial(rule, &audit)).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use stagegate_base::{config::Config, record::Severity};

    use super::*;

    #[test]
    fn each_rule_is_a_trial_with_its_own_severity() {
        let config = Config::parse(Path::new("/srv/stagegate.toml"), "[project]\nname = \"shop\"\n").unwrap();
        let environment = config.environment("ephemeral").unwrap();
        let trials = trials(Scope { config: &config, environment });
        let of = |name: &str| trials.iter().find(|trial| trial.name == name).map(|trial| trial.severity);
        assert_eq!(of("policy::stack::healthcheck_missing"), Some(Severity::Info));
        assert_eq!(of("policy::stack::privileged"), Some(Severity::Required));
        assert_eq!(trials.len(), stagegate_policy_decide::rules::rules().len());
    }
}
