use std::path::PathBuf;

use rstest::rstest;

use super::*;
use stagegate_base::{finding::Finding, record::Outcome};

const ORDER: &str = r#"
title = "an order arrives"
within = "20s"

[secrets]
key = "SHOP_KEY"

[[step]]
name = "take the order away"
cleanup = true
sql = { query = "delete from orders where id = $1", params = ["{{ id }}"] }

[[step]]
name = "place it"
http = { service = "web", path = "/api/orders", json = { quantity = 2, note = "{{ run.id }}" }, status = 201 }
capture = { id = "$.id" }

[[step]]
name = "look"
safe = true
http = { service = "web", path = "/api/items", headers = { authorization = "Bearer {{ login.owner.token }}" } }
capture = { items = "$.items" }

[[step]]
name = "see the row"
safe = true
sql = { query = "select * from orders where id = $1", params = ["{{ id }}"] }
assert = [{ of = "$[0].quantity", equals = 2 }]
until = { within = "5s" }
"#;

const LOGIN: &str = r#"
[[login.owner.step]]
name = "log in"
safe = true
http = { service = "web", path = "/login", body = "{{ secrets.pw }}" }
capture = { token = "$.token" }
[secrets]
pw = "OWNER_PASSWORD"
"#;

fn known() -> Known {
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Known { services: set(&["api", "web"]), caches: set(&["cache"]), databases: set(&["main"]) }
}

fn files(files: &[(&str, &str)]) -> WorkflowFiles {
    let files: Vec<(PathBuf, String)> = files
        .iter()
        .map(|(name, text)| (PathBuf::from(format!("workflows/{name}.toml")), (*text).to_owned()))
        .collect();
    read(&files, &known())
}

#[test]
fn a_file_is_steps_with_clean_up_last_and_logins_of_other_files() {
    let files = files(&[("order", ORDER), ("login", LOGIN)]);
    assert_eq!(files.broken, []);
    let names: Vec<(&str, usize)> = files.workflows[0].steps.iter().map(|s| (s.name.as_str(), s.line)).collect();
    assert_eq!(names, [("place it", 13), ("look", 18), ("see the row", 24), ("take the order away", 8)]);
    assert_eq!(files.workflows.len(), 1);
    assert_eq!(files.logins["owner"].steps.len(), 1);
}

#[rstest]
#[case::unknown_key("[[step]]\nname = \"a\"\nhtp = {}\n", 3, "unknown key `htp`")]
#[case::wrong_type(
    "[[step]]\nname = \"a\"\nhttp = { service = \"web\", path = 7 }\n",
    3,
    "`path` must be text in quotes"
)]
#[case::bad_source(
    "[[step]]\nname = \"a\"\nhttp = { service = \"web\", path = \"/\" }\ncapture = { id = \"id\" }\n",
    4,
    "`id` names no part"
)]
#[case::bad_path(
    "[[step]]\nname = \"a\"\nhttp = { service = \"web\", path = \"/\" }\ncapture = { id = \"$.[\" }\n",
    4,
    "is not a valid JSONPath"
)]
#[case::two_questions(
    "\n[[step]]\nname = \"a\"\nhttp = { service = \"web\", path = \"/\" }\nexec = { program = \"x\" }\n",
    2,
    "needs exactly one action"
)]
#[case::no_question("[[step]]\nname = \"a\"\n", 1, "needs exactly one action")]
#[case::service("[[step]]\nname = \"a\"\nhttp = { service = \"wbe\", path = \"/\" }\n", 3, "did you mean `web`?")]
#[case::unknown_name(
    "[[step]]\nname = \"a\"\nhttp = { service = \"web\", path = \"/{{ di }}\" }\n",
    3,
    "`{{ di }}` is not known in step `a` (known: run.environment, run.id)"
)]
#[case::name_of_later_step(
    "[[step]]\nname = \"a\"\nhttp = { service = \"web\", path = \"/{{ id }}\" }\ncapture = { id = \"body\" }\n",
    3,
    "is not known"
)]
#[case::open_braces("[[step]]\nname = \"a\"\nhttp = { service = \"web\", path = \"/{{ id\" }\n", 3, "is not closed")]
#[case::open_braces_in_json(
    "[[step]]\nname = \"a\"\nhttp = { service = \"web\", path = \"/\", json = { a = \"{{ id\" } }\n",
    3,
    "is not closed"
)]
#[case::secret_argument(
    "[[step]]\nname = \"a\"\nexec = { program = \"x\", args = [\"{{ secrets.pw }}\"] }\n[secrets]\npw = \"PW\"\n",
    3,
    "cannot be an argument"
)]
#[case::assertion(
    "[[step]]\nname = \"a\"\nhttp = { service = \"web\", path = \"/\" }\nassert = [\n  { of = \"body\" },\n]\n",
    5,
    "the assertion on `body`"
)]
#[case::writing_cache(
    "[[step]]\nname = \"a\"\nsafe = true\nredis = { command = [\"DEL\", \"x\"] }\n",
    1,
    "not known to be read-only"
)]
#[case::too_long(
    "within = \"2m\"\n[[step]]\nname = \"a\"\nexec = { program = \"x\" }\n",
    1,
    "longer than the limit of a check"
)]
#[case::long_until(
    "[[step]]\nname = \"a\"\nexec = { program = \"x\" }\nuntil = { within = \"5m\" }\n",
    1,
    "is out of range"
)]
#[case::empty("title = \"x\"\n", 1, "has no steps")]
#[case::only_clean_up("[[step]]\nname = \"a\"\ncleanup = true\nexec = { program = \"x\" }\n", 1, "only clean-up steps")]
#[case::two_bodies(
    "[[step]]\nname = \"a\"\nhttp = { service = \"web\", path = \"/\", body = \"x\", json = 1 }\n",
    1,
    "two bodies"
)]
#[case::hollow_login("[[login.a.step]]\nname = \"a\"\nexec = { program = \"x\" }\n", 1, "captures nothing")]
#[case::no_toml("[[step]\n", 1, "")]
fn a_file_that_cannot_work_is_reported_with_its_line(#[case] text: &str, #[case] line: usize, #[case] want: &str) {
    let files = files(&[("bad", text)]);
    assert!(files.workflows.is_empty());
    let [broken] = files.broken.as_slice() else { panic!("{:?}", files.broken) };
    assert_eq!((broken.name.as_str(), broken.error.line), ("bad", line), "{}", broken.error);
    assert!(broken.error.to_string().contains(want), "{}", broken.error);
}

#[test]
fn one_broken_file_leaves_the_others_alone_and_a_login_is_there_once() {
    let files = files(&[("a", LOGIN), ("b", LOGIN), ("c", "nope"), ("order", ORDER)]);
    let broken: Vec<String> = files.broken.iter().map(|broken| broken.error.to_string()).collect();
    assert_eq!(broken.len(), 2);
    assert!(broken[1].contains("login `owner` is already defined in workflows/a.toml"), "{broken:?}");
    assert_eq!(files.workflows.len(), 1);
}

#[test]
fn a_protected_environment_gets_the_safe_steps_that_need_nothing_of_the_others() {
    let files = files(&[("order", ORDER), ("login", LOGIN)]);
    let selection = select(&files.workflows[0].steps, &files.logins, Policy::Protected);
    let names: Vec<&str> = selection.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["look"]);
    assert_eq!(
        selection.left_out_steps(),
        "`place it` (not marked safe), `see the row` (needs `id`, captured by a step that is left out), \
         `take the order away` (not marked safe)"
    );
    assert_eq!(select(&files.workflows[0].steps, &files.logins, Policy::Open).steps.len(), 4);
}

#[test]
fn a_step_becomes_a_question_with_its_values_typed() {
    let files = files(&[("order", ORDER), ("login", LOGIN)]);
    let steps = &files.workflows[0].steps;
    let vars = Vars::from([("id".to_owned(), 7.into()), ("run.id".to_owned(), "r1".into())]);
    let StepRequest::Http { method, headers, body, .. } = steps[0].action.request(&vars, false).unwrap() else {
        panic!()
    };
    assert_eq!(method, "POST");
    assert_eq!(headers, [("content-type".to_owned(), "application/json".to_owned())]);
    assert_eq!(body.unwrap(), br#"{"note":"r1","quantity":2}"#);
    let StepRequest::Sql { database, params, read_only, .. } = steps[2].action.request(&vars, true).unwrap() else {
        panic!()
    };
    assert_eq!((database.as_str(), params, read_only), ("main", vec![7.into()], true));
    assert_eq!(steps[3].action.request(&Vars::new(), false), Err(Unset("id".to_owned())));
}

#[test]
fn pauses_double_up_to_a_second() {
    let until = Until { within: Duration::from_secs(5), every: Duration::from_millis(100) };
    assert_eq!([1, 2, 4, 5, 90].map(|n| until.pause(n).as_millis()), [100, 200, 800, 1000, 1000]);
}

fn result_of(states: &[(bool, State)]) -> WorkflowResult {
    let step = |(cleanup, state): &(bool, State)| ExecutedStep {
        name: "see it".to_owned(),
        line: 7,
        cleanup: *cleanup,
        attempts: 1,
        took: Duration::from_millis(250),
        state: state.clone(),
        screenshot: (*state == State::Passed && !cleanup).then(|| "/state/tests/web.png".to_owned()),
    };
    let file = PathBuf::from("workflows/order.toml");
    let steps = states.iter().map(step).collect();
    WorkflowResult { workflow: "order".to_owned(), file, steps, left_out: String::new(), took: Duration::from_secs(1) }
}

fn failed() -> State {
    let finding = Finding::differs("$[0]", "present", "missing");
    let message = super::result::waited(Duration::from_secs(5), 12);
    State::Failed { message, findings: vec![finding], evidence: Vec::new() }
}

#[test]
fn a_failure_states_the_step_its_line_and_how_long_was_waited() {
    let result = result_of(&[(false, State::Passed), (false, failed()), (true, State::Passed)]);
    let Outcome::Fail { message, findings, evidence, .. } = outcome(&result, "staging") else { panic!() };
    assert_eq!(message, "step `see it` (workflows/order.toml:7): not met after 5.0 s (12 attempts)");
    assert_eq!(findings.len(), 1);
    assert!(evidence[0].text.contains("see it (0.25 s, clean-up): passed"), "{}", evidence[0].text);
}

#[test]
fn a_pass_names_the_pictures_that_were_kept() {
    let passed = outcome(&result_of(&[(false, State::Passed), (true, State::Passed)]), "staging");
    assert_eq!(passed, Outcome::Pass("2 steps in 1000 ms; screenshot /state/tests/web.png".to_owned()));
}

#[rstest]
#[case::failed(&[(false, State::Skipped("x".into())), (false, failed())], "Fail")]
#[case::clean_up_failed(&[(false, State::Passed), (true, failed())], "Fail")]
#[case::broken(&[(false, State::Broken("x".into()))], "Broken")]
#[case::skipped(&[(false, State::Passed), (false, State::Skipped("no browser".into()))], "Skip")]
#[case::nothing_to_clean(&[(false, State::Passed), (true, State::Skipped("nothing".into()))], "Pass")]
#[case::nothing_may_run(&[], "Skip")]
fn an_outcome_is_that_of_the_gravest_step(#[case] states: &[(bool, State)], #[case] want: &str) {
    let outcome = format!("{:?}", outcome(&result_of(states), "production"));
    assert!(outcome.starts_with(want), "{outcome}");
}
