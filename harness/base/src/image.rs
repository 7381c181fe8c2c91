//! Images and the registries that have them: when one is pulled, and why a pull failed.

use std::time::Duration;

/// When the image of a service is pulled: `pull_policy` of its compose service.
// Source: compose-spec, 05-services.md, `pull_policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullPolicy {
    /// Each time: `always`.
    Always,
    /// Where this host has no image of that name: `missing`, `if_not_present`, and services without the key.
    Missing,
    /// Not at all: `never`.
    Never,
    /// It is built: `build`.
    Build,
    /// Where the image got its name longer ago: `daily`, `weekly`, `every_12h`.
    Every(Duration),
}

impl PullPolicy {
    /// Reads the value of the key; one that is not known is [`PullPolicy::Missing`], since Compose refuses it first.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text {
            "always" | "refresh" => PullPolicy::Always,
            "never" => PullPolicy::Never,
            "build" => PullPolicy::Build,
            "daily" => PullPolicy::Every(days(1)),
            "weekly" => PullPolicy::Every(days(7)),
            _ => text.strip_prefix("every_").and_then(period).map_or(PullPolicy::Missing, PullPolicy::Every),
        }
    }

    /// Returns whether an image has to be pulled; `age` is how long ago this host gave it its name, `None` where it has none.
    #[must_use]
    pub fn is_due(self, age: Option<Duration>) -> bool {
        match (self, age) {
            (PullPolicy::Never | PullPolicy::Build, _) => false,
            (PullPolicy::Always, _) | (_, None) => true,
            (PullPolicy::Missing, Some(_)) => false,
            (PullPolicy::Every(period), Some(age)) => age >= period,
        }
    }

    /// Returns whether a service that could be built takes what the registry has.
    #[must_use]
    pub fn prefers_registry(self) -> bool {
        matches!(self, PullPolicy::Always | PullPolicy::Every(_))
    }
}

const fn days(count: u64) -> Duration {
    Duration::from_secs(count * 86_400)
}

/// Reads `1w2d12h`; nothing where a part is no number with a unit.
fn period(text: &str) -> Option<Duration> {
    let (mut seconds, mut rest) = (0_u64, text);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let count: u64 = rest[..end].parse().ok()?;
        let unit = match rest.as_bytes()[end] {
            b'w' => 7 * 86_400,
            b'd' => 86_400,
            b'h' => 3_600,
            b'm' => 60,
            b's' => 1,
            _ => return None,
        };
        seconds = seconds.checked_add(count.checked_mul(unit)?)?;
        rest = &rest[end + 1..];
    }
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

/// Returns the registry of an image reference: `docker.io` where it names none.
// Source: distribution/reference: the first part is a host if it has a dot or a colon, or is `localhost`.
#[must_use]
pub fn registry(reference: &str) -> &str {
    match reference.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => "docker.io",
    }
}

/// Returns the repository of an image reference: without tag and digest.
#[must_use]
pub fn repository(reference: &str) -> &str {
    let named = reference.split_once('@').map_or(reference, |(named, _)| named);
    match named.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => named,
    }
}

/// Returns which of an image's digests (`repository@sha256:..`) a reference means: that of its repository, else the first.
#[must_use]
pub fn digest_of<'a>(reference: &str, digests: &'a [String]) -> Option<&'a String> {
    let full = |name: &str| match name.split_once('/') {
        _ if registry(name) != "docker.io" => name.to_owned(),
        Some(("docker.io", rest)) if rest.contains('/') => rest.to_owned(),
        Some(("docker.io", rest)) => format!("library/{rest}"),
        Some(_) => name.to_owned(),
        None => format!("library/{name}"),
    };
    let wanted = full(repository(reference));
    digests.iter().find(|digest| full(repository(digest)) == wanted).or_else(|| digests.first())
}

/// Why an image could not be pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullFailure {
    /// The registry wants a login, or knows another password.
    Login,
    /// The program that keeps the user's credentials failed.
    Credentials,
    /// The user may not read it; some registries also write this of a repository that does not exist.
    Denied,
    /// The registry does not have it.
    NotFound,
    /// There is no image for this kind of machine.
    Platform,
    /// Too many pulls.
    RateLimit,
    /// The certificate is not trusted.
    Untrusted,
    /// It has no TLS, and this host expects it.
    PlainHttp,
    /// No connection, or no response in time.
    Unreachable,
    /// The registry failed: a status from 500 on, or a download that ended early.
    Server,
    /// What was downloaded is not what its digest promises.
    Corrupt,
    /// What listens there is no registry.
    NoRegistry,
    /// The disk is full.
    Space,
    /// The name is no image reference.
    Reference,
    /// It did not end within its time.
    Late,
    /// Something else, which the output names.
    Other,
}

/// What Docker's output contains, by failure; the first that matches counts, since some contain another one's words.
// Source: Docker Engine 20.10 to 28 with docker-registry 2.8 and both image stores, each failure provoked; Docker Hub's
// documented texts.
const MARKS: [(PullFailure, &[&str]); 14] = [
    (PullFailure::Credentials, &["error getting credentials"]),
    (PullFailure::Space, &["no space left on device"]),
    (PullFailure::Reference, &["invalid reference format"]),
    (PullFailure::RateLimit, &["toomanyrequests", "429 too many requests", "rate limit"]),
    (PullFailure::Platform, &["no matching manifest for", "does not match the specified platform"]),
    (PullFailure::PlainHttp, &["server gave http response to https client"]),
    (PullFailure::Untrusted, &["x509:", "certificate", "tls: "]),
    (PullFailure::Corrupt, &["verification failed", "unexpected commit digest", "failed to register layer"]),
    (
        PullFailure::NoRegistry,
        &[
            "error unmarshalling",
            "error parsing http",
            "invalid character",
            "content-type header",
            "unexpected media type",
        ],
    ),
    (
        PullFailure::Unreachable,
        &[
            "connection refused",
            "no such host",
            "no route to host",
            "network is unreachable",
            "i/o timeout",
            "timeout exceeded",
            "deadline exceeded",
            "handshake timeout",
            "server misbehaving",
        ],
    ),
    (PullFailure::Denied, &[": denied", "access denied", "403 forbidden", "insufficient_scope"]),
    (PullFailure::Login, &["no basic auth credentials", "unauthorized", "authentication required"]),
    (PullFailure::NotFound, &["manifest unknown", "name unknown", "not found"]),
    (
        PullFailure::Server,
        &[
            "unexpected http status: 5",
            "unexpected status",
            "unexpected eof",
            "content-range",
            "connection reset",
            ": eof",
        ],
    ),
];

impl PullFailure {
    /// Returns the failure that the output of `docker pull` names.
    #[must_use]
    pub fn of(output: &str) -> Self {
        let output = output.to_lowercase();
        let named = |marks: &[&str]| marks.iter().any(|mark| output.contains(mark));
        MARKS.iter().find(|(_, marks)| named(marks)).map_or(PullFailure::Other, |(failure, _)| *failure)
    }

    /// Returns what is wrong, for the end of "cannot be pulled from REGISTRY:".
    #[must_use]
    pub fn cause(self) -> &'static str {
        match self {
            PullFailure::Login => "the registry requires a login, or refuses the one that this user has",
            PullFailure::Credentials => "the credential helper of this user failed",
            PullFailure::Denied => "it does not exist there, or this user may not read it",
            PullFailure::NotFound => "the registry does not have it",
            PullFailure::Platform => "the registry has it only for another kind of processor",
            PullFailure::RateLimit => "the registry's limit of pulls is reached",
            PullFailure::Untrusted => "the certificate of the registry is not trusted",
            PullFailure::PlainHttp => "the registry has no TLS, and Docker Engine expects it",
            PullFailure::Unreachable => "the registry is not reachable",
            PullFailure::Server => "the registry failed",
            PullFailure::Corrupt => "what the registry sent does not match its digest",
            PullFailure::NoRegistry => "what listens there is no registry",
            PullFailure::Space => "the disk of Docker's images is full",
            PullFailure::Reference => "this is no name of an image",
            PullFailure::Late => "the pull did not end in time",
            PullFailure::Other => "docker pull failed",
        }
    }

    /// Returns what to do next about an image.
    #[must_use]
    pub fn next(self, image: &str) -> String {
        let registry = registry(image);
        match self {
            PullFailure::Login | PullFailure::Denied | PullFailure::RateLimit => {
                format!("run `docker login {registry}` as the user who runs gate")
            }
            PullFailure::Credentials => {
                "correct `credHelpers` or `credsStore` in the config.json of this user's Docker".to_owned()
            }
            PullFailure::NotFound => {
                format!("push it (`docker push {image}`), or correct `image` in the compose files")
            }
            PullFailure::Platform => "push it for this processor, or set `platform` in the compose files".to_owned(),
            PullFailure::Untrusted => {
                format!("write the certificate of its authority to /etc/docker/certs.d/{registry}/ca.crt")
            }
            PullFailure::PlainHttp => {
                format!("give it a certificate, or name {registry} in `insecure-registries` of /etc/docker/daemon.json")
            }
            PullFailure::Unreachable | PullFailure::Server | PullFailure::NoRegistry | PullFailure::Other => {
                format!(
                    "run the command again once `docker pull {image}` works, or build or load the image on this host"
                )
            }
            PullFailure::Corrupt => format!("push it again (`docker push {image}`)"),
            PullFailure::Space => "`docker system df` shows what takes the space".to_owned(),
            PullFailure::Reference => "correct `image` in the compose files".to_owned(),
            PullFailure::Late => {
                format!("run `docker pull {image}` first, or set a longer `pull_within` in [gate]")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::absent(
        "Error response from daemon: manifest for r:1/a:9 not found: manifest unknown",
        PullFailure::NotFound
    )]
    #[case::of_no_registry_into_containerd(
        "b7d082ee12e9: Download complete\nfailed to unpack image on snapshotter overlayfs: unexpected media type application/json for \
         sha256:b7d082ee12e9: not found",
        PullFailure::NoRegistry
    )]
    #[case::refused(
        "Get \"http://r:1/v2/\": dial tcp 127.0.0.1:1: connect: connection refused",
        PullFailure::Unreachable
    )]
    #[case::dns("dial tcp: lookup nowhere.invalid on 10.0.0.53:53: no such host", PullFailure::Unreachable)]
    #[case::hangs(
        "net/http: request canceled (Client.Timeout exceeded while awaiting headers)",
        PullFailure::Unreachable
    )]
    #[case::no_login("Head \"http://r:1/v2/a/manifests/1\": no basic auth credentials", PullFailure::Login)]
    #[case::wrong_login(
        "Head \"http://r:1/v2/a/manifests/1\": unauthorized: authentication required",
        PullFailure::Login
    )]
    #[case::denied("Error response from daemon: denied", PullFailure::Denied)]
    #[case::helper(
        "error getting credentials - err: exec: \"docker-credential-x\": executable file not found in $PATH, out: ``",
        PullFailure::Credentials
    )]
    #[case::engine("permission denied while trying to connect to the Docker daemon socket", PullFailure::Other)]
    #[case::hub(
        "pull access denied for a/b, repository does not exist or may require 'docker login': denied: requested access",
        PullFailure::Denied
    )]
    #[case::limit("toomanyrequests: You have reached your pull rate limit", PullFailure::RateLimit)]
    #[case::status("received unexpected HTTP status: 503 Service Unavailable", PullFailure::Server)]
    #[case::died("no Content-Range header found in HTTP 206 response", PullFailure::Server)]
    #[case::died_at_once("Get \"http://r:1/v2/\": EOF", PullFailure::Server)]
    #[case::corrupt("filesystem layer verification failed for digest sha256:4a98", PullFailure::Corrupt)]
    #[case::page("error unmarshalling content: invalid character '<' looking for beginning", PullFailure::NoRegistry)]
    #[case::self_signed(
        "Get \"https://r:1/v2/\": x509: certificate signed by unknown authority",
        PullFailure::Untrusted
    )]
    #[case::plain("Get \"https://r:1/v2/\": http: server gave HTTP response to HTTPS client", PullFailure::PlainHttp)]
    #[case::platform("no matching manifest for linux/arm64/v8 in the manifest list entries", PullFailure::Platform)]
    #[case::full("write /var/lib/docker/tmp/GetImageBlob1: no space left on device", PullFailure::Space)]
    #[case::name("invalid reference format: repository name (C/app) must be lowercase", PullFailure::Reference)]
    #[case::else_("unexpected argument", PullFailure::Other)]
    fn the_cause_is_read_from_what_docker_prints(#[case] output: &str, #[case] want: PullFailure) {
        assert_eq!(PullFailure::of(output), want);
        let next = want.next("r:1/a:9");
        assert!(!want.cause().is_empty() && !next.is_empty(), "{next}");
    }

    #[rstest]
    #[case("always", None, true)]
    #[case("always", Some(1), true)]
    #[case("missing", Some(9_999_999), false)]
    #[case("if_not_present", None, true)]
    #[case("never", None, false)]
    #[case("build", None, false)]
    #[case("daily", Some(86_399), false)]
    #[case("weekly", Some(7 * 86_400), true)]
    #[case("every_1d12h", Some(36 * 3_600 - 1), false)]
    #[case("every_1d12h", Some(36 * 3_600), true)]
    #[case("every_", Some(1), false)]
    #[case("every_5", Some(5), false)]
    #[case("", Some(1), false)]
    fn a_pull_is_due_by_the_policy(#[case] policy: &str, #[case] age: Option<u64>, #[case] want: bool) {
        assert_eq!(PullPolicy::parse(policy).is_due(age.map(Duration::from_secs)), want, "{policy}");
    }

    #[rstest]
    #[case("postgres:17", "docker.io", "postgres")]
    #[case("acme/app", "docker.io", "acme/app")]
    #[case("ghcr.io/acme/app:1.2", "ghcr.io", "ghcr.io/acme/app")]
    #[case("127.0.0.1:5000/app", "127.0.0.1:5000", "127.0.0.1:5000/app")]
    #[case("localhost/app@sha256:aa", "localhost", "localhost/app")]
    #[case("r.example:5000/a/b:1@sha256:aa", "r.example:5000", "r.example:5000/a/b")]
    fn a_reference_names_its_registry_and_repository(#[case] image: &str, #[case] at: &str, #[case] name: &str) {
        assert_eq!((registry(image), repository(image)), (at, name));
    }

    #[test]
    fn of_several_digests_that_of_the_repository_is_meant() {
        let digests = ["b.example/app@sha256:1", "a.example/app@sha256:2", "library/redis@sha256:3"].map(str::to_owned);
        assert_eq!(digest_of("a.example/app:1", &digests), Some(&digests[1]));
        assert_eq!(digest_of("docker.io/redis:7", &digests), Some(&digests[2]));
        assert_eq!(digest_of("redis", &digests), Some(&digests[2]));
        assert_eq!(digest_of("c.example/app:1", &digests), Some(&digests[0]));
        assert_eq!(digest_of("redis", &[]), None);
    }
}
