//! A workflow file as it is written.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::{Browser, Exec, Http, Redis, Source, Sql, assertion};
use stagegate_base::{record::Severity, units::Span};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFile {
    pub(super) title: Option<String>,
    pub(super) within: Option<Spanned<Span>>,
    #[serde(default)]
    pub(super) severity: Severity,
    #[serde(default)]
    pub(super) secrets: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) login: BTreeMap<Spanned<String>, RawLogin>,
    #[serde(default)]
    pub(super) step: Vec<Spanned<RawStep>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLogin {
    pub(super) step: Vec<Spanned<RawStep>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawStep {
    pub(super) name: String,
    #[serde(default)]
    pub(super) safe: bool,
    #[serde(default)]
    pub(super) cleanup: bool,
    pub(super) http: Option<Http>,
    pub(super) sql: Option<Sql>,
    pub(super) redis: Option<Redis>,
    pub(super) exec: Option<Exec>,
    pub(super) browser: Option<Browser>,
    #[serde(default)]
    pub(super) capture: BTreeMap<Spanned<String>, Source>,
    #[serde(default)]
    pub(super) assert: Vec<Spanned<assertion::Raw>>,
    pub(super) until: Option<RawUntil>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawUntil {
    pub(super) within: Span,
    pub(super) every: Option<Span>,
}
