//! HTTP steps.

use std::net::SocketAddr;

use stagegate_workflow_decide::{Ask, Observed};

use super::answer::{Answer, Silence};
use stagegate_host::{
    error::with_causes,
    http::{Http, HttpError, Request},
};

pub(super) async fn asked(addresses: &[SocketAddr], ask: &Ask) -> Result<Answer, Silence> {
    let Ask::Http { method, path, headers, body, within, .. } = ask else {
        return Err(Silence::Broken("not an HTTP step".to_owned()));
    };
    let request = Request { method: method.clone(), path: path.clone(), headers: headers.clone(), body: body.clone() };
    let http = Http::shared().map_err(|error| Silence::Broken(with_causes(&error)))?.deadline(*within);
    let (_, answer) = http.send_first(addresses, &request).await.map_err(silence)?;
    let status = i64::from(answer.status);
    Ok(Observed::new(status, answer.headers, &answer.body, answer.truncated, answer.took).into())
}

fn silence(error: HttpError) -> Silence {
    match error {
        HttpError::Request { .. } | HttpError::Client(_) => Silence::Broken(with_causes(&error)),
        error => Silence::Failed(with_causes(&error)),
    }
}
