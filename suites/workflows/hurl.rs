//! Does a `.hurl` file pass?

use std::{path::Path, sync::Arc};

use stagegate_base::record::{Outcome, Severity};
use stagegate_workflow_act as workflow;
use stagegate_workflow_decide::hurl;

use crate::trial::{Effect, Scope, Trial};

pub(super) fn trial(scope: Scope<'_>, path: &Path, text: &str) -> Trial {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let is_safe = hurl::is_safe(text);
    if scope.environment.protected && !is_safe {
        let reason = format!(
            "{} may write, and `{}` is protected; mark a file that only reads above its first request: {}",
            path.display(),
            scope.environment.name,
            hurl::SAFE
        );
        let skip = move |_| std::future::ready(Outcome::Skip(reason.clone()));
        return Trial::new("workflows", &name, "hurl", Effect::Reads, skip).with_severity(Severity::Info);
    }
    let effect = if is_safe { Effect::Reads } else { Effect::Writes };
    let file = Arc::new(scope.environment.workdir.join(path));
    Trial::new("workflows", &name, "hurl", effect, move |session| {
        let file = Arc::clone(&file);
        async move { workflow::hurl::run(&*session.place().await, &file).await }
    })
}
