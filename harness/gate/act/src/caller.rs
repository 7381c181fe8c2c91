//! Who began a run, as far as the shell or CI names anybody.

use stagegate_base::text::{cut, one_line};
use stagegate_gate_decide::promotion::Plan;

/// Characters that a name may have.
const LONGEST: usize = 80;

/// Returns the plan with who begins its run.
pub(super) fn named(plan: Plan) -> Plan {
    Plan { by: name(), ..plan }
}

/// Returns who calls this program; `None` where nothing names anybody.
pub(super) fn name() -> Option<String> {
    // What CI names first: there the user is that of the runner.
    let variables = [
        std::env::var("GITHUB_ACTOR"),
        std::env::var("GITLAB_USER_LOGIN"),
        std::env::var("SUDO_USER"),
        std::env::var("USER"),
        std::env::var("LOGNAME"),
    ];
    let name = variables.into_iter().flatten().map(|name| one_line(name.trim())).find(|name| !name.is_empty());
    name.map(|name| cut(&name, LONGEST))
}
