//! What a model states of a service's start: whether its process may end, and how long it may take.

use std::time::Duration;

use serde_json::Value;

use super::Model;

/// How long Compose waits for a service to stop where its files do not say.
const STOP_GRACE: Duration = Duration::from_secs(10);

impl Model {
    /// Returns whether a service has a healthcheck of its own: one that is switched on and has a test.
    ///
    /// `healthcheck: {disable: false}`, or one with intervals alone, leaves the test to the image, which may have none.
    #[must_use]
    pub fn has_healthcheck(&self, name: &str) -> bool {
        let check = &self.service(name)["healthcheck"];
        let test = check["test"].as_array().is_some_and(|test| !test.is_empty() && test[0] != "NONE");
        test && check["disable"] != Value::Bool(true)
    }

    /// Returns whether another service waits for this one to have completed well.
    #[must_use]
    pub fn is_awaited(&self, name: &str) -> bool {
        self.services_map().any(|(_, other)| other["depends_on"][name]["condition"] == "service_completed_successfully")
    }

    /// Returns whether the files say in so many words that a service that succeeded is not started again.
    ///
    /// A service without `restart:` states nothing: nobody may have thought of it.
    // Source: compose-spec, "restart" ("no", on-failure[:max-retries]) and deploy's restart_policy.condition.
    #[must_use]
    pub fn may_end(&self, name: &str) -> bool {
        let service = self.service(name);
        let policy = service["restart"].as_str();
        let condition = service["deploy"]["restart_policy"]["condition"].as_str();
        let by_policy = policy.is_some_and(|policy| policy == "no" || policy.starts_with("on-failure"));
        by_policy || (policy.is_none() && matches!(condition, Some("none" | "on-failure")))
    }

    /// Returns how long the service's healthcheck may fail at its start, as the files say; zero where they don't.
    #[must_use]
    pub fn start_period(&self, name: &str) -> Duration {
        let text = self.service(name)["healthcheck"]["start_period"].as_str();
        text.and_then(go_duration).unwrap_or_default()
    }

    /// Returns how much longer than Compose's own 10 s the services may take to stop, one after the other: what their
    /// `stop_grace_period` goes beyond it.
    #[must_use]
    pub fn stop_grace(&self) -> Duration {
        let beyond = |name: String| {
            let text = self.service(&name)["stop_grace_period"].as_str();
            text.and_then(go_duration).unwrap_or_default().saturating_sub(STOP_GRACE)
        };
        self.services().into_iter().map(beyond).fold(Duration::ZERO, Duration::saturating_add)
    }
}

/// Reads a duration as Go writes it, such as `1m30s`; Compose prints no other form.
fn go_duration(text: &str) -> Option<Duration> {
    let (mut rest, mut seconds) = (text, 0.0);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, unit) = rest.split_at(digits);
        let letters = unit.find(|c: char| c.is_ascii_digit()).unwrap_or(unit.len());
        let factor = match &unit[..letters] {
            "h" => 3_600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        seconds += number.parse::<f64>().ok()? * factor;
        rest = &unit[letters..];
    }
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn what_services_may_take_to_stop_beyond_composes_time_is_added_up() {
        let model = r#"{"services":{"web":{},"quick":{"stop_grace_period":"3s"},
            "worker":{"stop_grace_period":"5m0s"},"db":{"stop_grace_period":"1m0s"}}}"#;
        assert_eq!(Model::parse(model).unwrap().stop_grace(), Duration::from_secs(290 + 50));
    }

    #[rstest]
    #[case("10m0s", Some(600.0))]
    #[case("1m30s", Some(90.0))]
    #[case("1h0m0.5s", Some(3_600.5))]
    #[case("250ms", Some(0.25))]
    #[case("10", None)]
    #[case("ten", None)]
    fn a_duration_is_read_as_go_writes_it(#[case] text: &str, #[case] want: Option<f64>) {
        assert_eq!(go_duration(text).map(|got| got.as_secs_f64()), want);
    }

    #[rstest]
    #[case(r#"{"restart":"no"}"#, true)]
    #[case(r#"{"restart":"on-failure:3"}"#, true)]
    #[case(r#"{"deploy":{"restart_policy":{"condition":"none"}}}"#, true)]
    #[case(r#"{"restart":"always","deploy":{"restart_policy":{"condition":"none"}}}"#, false)]
    #[case(r#"{"restart":"unless-stopped"}"#, false)]
    #[case("{}", false)]
    fn only_what_the_files_state_lets_a_service_end(#[case] service: &str, #[case] want: bool) {
        let model = Model::parse(&format!(r#"{{"services":{{"x":{service}}}}}"#)).unwrap();
        assert_eq!(model.may_end("x"), want);
    }

    #[rstest]
    #[case(r#"{"test":["CMD","true"]}"#, true)]
    #[case(r#"{"disable":false}"#, false)]
    #[case(r#"{"interval":"5s"}"#, false)]
    #[case(r#"{"test":[]}"#, false)]
    #[case(r#"{"test":["NONE"]}"#, false)]
    #[case(r#"{"test":["CMD","true"],"disable":true}"#, false)]
    fn a_healthcheck_without_a_test_is_the_images_business(#[case] check: &str, #[case] want: bool) {
        let model = Model::parse(&format!(r#"{{"services":{{"x":{{"healthcheck":{check}}}}}}}"#)).unwrap();
        assert_eq!(model.has_healthcheck("x"), want);
    }
}
