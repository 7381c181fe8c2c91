use rstest::rstest;

use super::*;

fn read(text: &str) -> Result<Receiver, String> {
    let raw: RawNotify = toml::from_str(text).map_err(|error| error.to_string())?;
    let read = raw.read(|path| Path::new("/etc/shop").join(path), &["staging", "production"]);
    read.map_err(|(text, hint)| format!("{text}; {hint}"))
}

#[rstest]
#[case::slack("kind = \"slack\"\nurl_file = \"hook\"")]
#[case::discord("kind = \"discord\"\nurl_variable = \"HOOK\"\nmention = \"@here\"")]
#[case::teams("kind = \"teams\"\nurl_file = \"hook\"")]
#[case::ntfy("kind = \"ntfy\"\nurl = \"https://ntfy.sh/shop\"")]
#[case::gotify("kind = \"gotify\"\nurl = \"http://10.0.0.2\"\ntoken_file = \"token\"")]
#[case::telegram("kind = \"telegram\"\ntoken_file = \"token\"\nchat = \"-100\"")]
#[case::webhook("kind = \"webhook\"\nurl_file = \"hook\"\ntoken_variable = \"KEY\"\nenvironments = [\"production\"]")]
#[case::smtp("kind = \"smtp\"\nhost = \"m.example\"\nfrom = \"a@b\"\nto = [\"c@d\"]\nuser = \"a\"\ntoken_file = \"p\"")]
#[case::apprise("kind = \"apprise\"\nurl_file = \"urls\"")]
#[case::command("kind = \"command\"\ncommand = [\"tee\", \"x\"]\non = [\"begin\", \"held\", \"blocked\"]")]
#[case::otlp("kind = \"otlp\"\nurl = \"http://h:4318/v1/traces\"\nheader = \"x-api-key\"\ntoken_file = \"t\"")]
fn each_kind_is_read(#[case] text: &str) {
    let receiver = read(text).unwrap();
    assert!(text.contains(&format!("\"{}\"", receiver.name)) && !receiver.on.is_empty());
}

#[rstest]
#[case::no_url("kind = \"slack\"", "has no URL")]
#[case::secret("kind = \"slack\"\nurl = \"https://hooks.slack.example/canary\"", "which is a secret")]
#[case::two("kind = \"teams\"\nurl_file = \"a\"\nurl_variable = \"B\"", "keep one of the two")]
#[case::no_token("kind = \"gotify\"\nurl = \"https://g\"", "has no token")]
#[case::no_chat("kind = \"telegram\"\ntoken_file = \"a\"", "has no `chat`")]
#[case::scheme("kind = \"webhook\"\nurl = \"file:///canary\"", "cannot be used")]
#[case::user("kind = \"webhook\"\nurl = \"https://a:canary@b\"", "cannot be used")]
#[case::plain_mail(
    "kind = \"smtp\"\nhost = \"m.example\"\ntls = \"none\"\nfrom = \"a@b\"\nto = [\"c@d\"]\nuser = \"a\"\ntoken_file = \"p\"",
    "in plain text"
)]
#[case::no_receivers("kind = \"smtp\"\nhost = \"m\"\nfrom = \"a@b\"", "no receivers")]
#[case::no_program("kind = \"command\"", "has no program")]
#[case::unused("kind = \"command\"\ncommand = [\"a\"]\nurl_file = \"b\"", "does not read `url`")]
#[case::environment("kind = \"command\"\ncommand = [\"a\"]\nenvironments = [\"prod\"]", "known: staging, production")]
#[case::nothing("kind = \"command\"\ncommand = [\"a\"]\non = []", "`on` is empty")]
#[case::name("kind = \"command\"\ncommand = [\"a\"]\nname = \"../x\"", "letters, digits")]
#[case::header("kind = \"otlp\"\nurl = \"http://h\"\nheader = \"a: b\"\ntoken_file = \"t\"", "write a name")]
#[case::no_header_token("kind = \"otlp\"\nurl = \"http://h\"\nheader = \"x-api-key\"", "nothing to send in it")]
fn what_cannot_be_used_is_refused_without_a_secret(#[case] text: &str, #[case] want: &str) {
    let error = read(text).unwrap_err();
    assert!(error.contains(want) && !error.contains("canary"), "{error}");
}

#[test]
fn a_url_of_the_file_is_not_shown() {
    let receiver = read("kind = \"webhook\"\nurl = \"https://h/canary\"").unwrap();
    let shown = format!("{} {receiver:?}", serde_json::to_string(&receiver).unwrap());
    assert!(!shown.contains("canary") && shown.contains("***"), "{shown}");
}

#[test]
fn a_receiver_hears_of_its_events_in_its_environments() {
    let text = "kind = \"command\"\ncommand = [\"a\"]\non = [\"held\", \"stuck\"]\nenvironments = [\"production\"]";
    let receiver = read(text).unwrap();
    assert!(receiver.receives(&[Event::End, Event::Blocked], "production"));
    assert!(!receiver.receives(&[Event::End, Event::Blocked], "staging"));
    assert!(!receiver.receives(&[Event::End], "production"));
}
