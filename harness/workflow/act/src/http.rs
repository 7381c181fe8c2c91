//! HTTP steps.

use std::net::SocketAddr;

use stagegate_workflow_decide::{Observed, StepRequest};

use super::result::{StepError, StepResult};
use stagegate_host::{
    error::with_causes,
    http::{Http, HttpError, Request},
};

/// Sends a step's request; a header of the step's own stands in the place of one in `own`, the service's.
pub(super) async fn run(
    addresses: &[SocketAddr],
    own: Vec<(String, String)>,
    ask: &StepRequest,
) -> Result<StepResult, StepError> {
    let StepRequest::Http { method, path, headers, body, within, .. } = ask else {
        return Err(StepError::Broken("not an HTTP step".to_owned()));
    };
    let mut all = own;
    all.retain(|(name, _)| !headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name)));
    all.extend(headers.clone());
    let request = Request { method: method.clone(), path: path.clone(), headers: all, body: body.clone() };
    let http = Http::shared().map_err(|error| StepError::Broken(with_causes(&error)))?.deadline(*within);
    let (_, response) = http.send_first(addresses, &request).await.map_err(step_error)?;
    let status = i64::from(response.status);
    Ok(Observed::new(status, response.headers, &response.body, response.truncated, response.took).into())
}

fn step_error(error: HttpError) -> StepError {
    match error {
        HttpError::Request { .. } | HttpError::Client(_) => StepError::Broken(with_causes(&error)),
        error => StepError::Failed(with_causes(&error)),
    }
}
