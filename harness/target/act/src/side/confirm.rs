//! On the host: confirms a promotion that waits, for a gate on another machine.

use std::time::Duration;

use stagegate_base::command::Command;
use stagegate_host::{host::HERE_VARIABLE, process::Runner};
use stagegate_target_decide::Event;

use super::{Product, SideError, report};

/// Longer than `gate confirm` waits for the run.
const WITHIN: Duration = Duration::from_secs(90);

/// Runs `gate confirm` in the product's checkout.
pub(super) async fn confirm(product: &Product, run: Option<String>, environment: &str) -> Result<(), SideError> {
    product.checked_out()?;
    let program = std::env::current_exe().map_err(SideError::file(&product.checkout()))?;
    let command = Command::new(&program.display().to_string())
        .args(["confirm".to_owned(), "--env".to_owned(), environment.to_owned()])
        .args(run)
        .env(HERE_VARIABLE, "1")
        .in_dir(&product.checkout());
    let output = Runner::default().run(&command, WITHIN).await?;
    let text = output.stderr.trim();
    let text = text.strip_prefix("error: ").unwrap_or(text).to_owned();
    if output.code == 0 { report(&Event::Done { note: text }) } else { Err(SideError::Refused(text)) }
}
