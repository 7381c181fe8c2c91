//! The codes of what can be wrong with a service and its contract: what it is, why it matters, what fixes it.
//!
//! A code never changes its meaning; a new finding gets a new one. `docs/contracts.md` lists them all, which a test
//! enforces.

/// A kind of finding.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// Its name, which never changes: `SGC011`.
    pub id: &'static str,
    /// What was found, in a few words.
    pub what: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// What to do.
    pub fix: &'static str,
}

macro_rules! codes {
    ($($name:ident $id:literal $what:literal $why:literal $fix:literal;)*) => {
        $(
            #[doc = $what]
            pub static $name: Code = Code { id: $id, what: $what, why: $why, fix: $fix };
        )*
        /// Lists every code, in order.
        #[must_use]
        pub fn all() -> Vec<&'static Code> {
            vec![$(&$name),*]
        }
    };
}

codes! {
    UNUSABLE "SGC001" "the document cannot be used"
        "nothing of the service can be compared with it"
        "fix the place that is named; a document may refer to files of the release only";
    HOLLOW "SGC002" "nearly no documented response was seen"
        "refusals alone prove nothing"
        "give the parameters examples that exist, and `token_login` or `token_variable` where a token is needed";
    STATUS "SGC010" "a status that is not documented"
        "a client has no branch for it"
        "document the status, or return a documented one";
    UNABLE "SGC011" "a documented 5xx"
        "it is documented, but the service cannot handle the request"
        "read the service's log";
    NO_ANSWER "SGC012" "no complete HTTP response"
        "a client receives nothing"
        "read the service's log; the message names the address and the error";
    HEADER_MISSING "SGC020" "a required header is missing"
        "a client that reads it fails"
        "send the header, or document it as optional";
    HEADER_VALUE "SGC021" "a header's value breaks its schema"
        "a client that parses it fails"
        "send a value that fits, or change the schema";
    MEDIA_TYPE "SGC022" "a media type that is not documented"
        "a client does not know how to read the body"
        "send the documented Content-Type, or document this one";
    ENCODING "SGC023" "a body that was compressed without a request for it"
        "a client that accepts no Content-Encoding cannot read it"
        "compress only if the request's Accept-Encoding allows it";
    NO_JSON "SGC030" "a body that is not the documented JSON"
        "no client can parse it"
        "send JSON, or document the media type that is sent";
    TYPE "SGC031" "a value of another type"
        "a typed client cannot read it"
        "send the documented type, or change the schema";
    MISSING "SGC032" "a required property is missing"
        "a client that reads it fails"
        "send the property, or remove it from `required`";
    UNDOCUMENTED "SGC033" "a property that is not documented"
        "nothing is documented of it, and it is often the new name of a missing one"
        "document it, or do not send it";
    VALUE "SGC034" "a value that is not one of those listed"
        "a client has no branch for it"
        "send a listed value, or add this one to the schema";
    CONSTRAINT "SGC035" "a value out of its bounds, format or pattern"
        "what a client does with it is undefined"
        "send a value that fits, or widen the schema";
    SHAPE "SGC036" "a value that matches none, or several, of the documented shapes"
        "a client cannot determine which one it is"
        "send one of the shapes, or document this one";
    SERVED_MISSING "SGC040" "the running service does not serve its document"
        "clients are generated from it"
        "serve the document at the configured path, or remove `served_contract`";
    SERVED_DIFFERS "SGC041" "the served document breaks callers of the one in the repository"
        "clients are generated from one of them, and the other is tested"
        "serve the document of the release";
    PROBE_CRASHED "SGC050" "an invalid request caused a 5xx response"
        "any caller can make the service fail"
        "validate the input, and return 4xx with the documented error";
    PROBE_TAKEN "SGC051" "an invalid request was accepted"
        "invalid data gets into the system"
        "reject it with the documented 4xx, or change the document to what is accepted";
    UNPROTECTED "SGC052" "a secured operation responded without valid credentials"
        "anybody can read or change what it protects"
        "check the token before anything else, or remove `security` from a public operation";
    CRASHED "SGC053" "a valid request caused a 5xx response"
        "a client that follows the document gets no response"
        "handle the value, or exclude it in the document";
    NOT_DELETED "SGC054" "it is still there after its DELETE"
        "a client that deletes something believes that it is gone"
        "delete it, or return 202 if that takes longer";
    NOT_CREATED "SGC055" "what a POST created cannot be read"
        "a client cannot use what it created"
        "store it before the response, or return 202 if that takes longer";
    SHAPE_CHANGED "SGC060" "a response has another shape than the accepted one"
        "the document may allow it, but clients see something new"
        "review the difference; `gate accept` accepts the new shape";
}

/// Returns a code by its name, whatever its case.
#[must_use]
pub fn find(id: &str) -> Option<&'static Code> {
    all().into_iter().find(|code| code.id.eq_ignore_ascii_case(id))
}
