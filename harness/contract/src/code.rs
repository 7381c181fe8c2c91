//! The codes of what can be wrong with a service and its contract: what it is, why it matters, what mends it.
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
    pub mend: &'static str,
}

macro_rules! codes {
    ($($name:ident $id:literal $what:literal $why:literal $mend:literal;)*) => {
        $(
            #[doc = $what]
            pub static $name: Code = Code { id: $id, what: $what, why: $why, mend: $mend };
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
        "mend the place that is named; bundle a document of several files into one";
    HOLLOW "SGC002" "nearly nothing was seen of what the operations promise"
        "answers that only refuse prove nothing"
        "give the parameters examples that exist, and `token_login` or `token_variable` where a token is needed";
    STATUS "SGC010" "a status that is not documented"
        "a client has no branch for it"
        "document the status, or answer with a documented one";
    UNABLE "SGC011" "a documented 5xx"
        "it is documented, and yet the service cannot serve"
        "look at the service's log";
    NO_ANSWER "SGC012" "no whole HTTP answer"
        "a client gets nothing"
        "look at the service's log; the message names the address and what went wrong";
    HEADER_MISSING "SGC020" "a required header is missing"
        "a client that reads it fails"
        "send the header, or document it as optional";
    HEADER_VALUE "SGC021" "a header's value breaks its schema"
        "a client that parses it fails"
        "send a value that fits, or change the schema";
    MEDIA_TYPE "SGC022" "a media type that is not documented"
        "a client does not know how to read the body"
        "send the documented Content-Type, or document this one";
    ENCODING "SGC023" "a body that was packed unasked"
        "a client that asked for no Content-Encoding cannot read it"
        "pack only where the request's Accept-Encoding allows it";
    NO_JSON "SGC030" "a body that is not the JSON that was promised"
        "no client can parse it"
        "send JSON, or document the media type that is sent";
    TYPE "SGC031" "a value of another type"
        "a typed client cannot read it"
        "send the documented type, or change the schema";
    MISSING "SGC032" "a required property is missing"
        "a client that reads it fails"
        "send the property, or take it out of `required`";
    UNDOCUMENTED "SGC033" "a property that is not documented"
        "it has no promise, and is often the new name of a missing one"
        "document it, or do not send it";
    VALUE "SGC034" "a value that is not one of those listed"
        "a client has no branch for it"
        "send a listed value, or add this one to the schema";
    CONSTRAINT "SGC035" "a value out of its bounds, format or pattern"
        "what a client does with it is undefined"
        "send a value that fits, or widen the schema";
    SHAPE "SGC036" "a value of none, or of several, of the documented shapes"
        "a client cannot tell which one it is"
        "send one of the shapes, or document this one";
    SERVED_MISSING "SGC040" "the running service does not give its document"
        "clients are made from it"
        "serve the document at the path that is configured, or take `served_contract` away";
    SERVED_DIFFERS "SGC041" "the document that is served breaks callers of the one in the repository"
        "clients are made from one of them, and the other is tested"
        "serve the document of the release";
    PROBE_CRASHED "SGC050" "a bad request was answered with 5xx"
        "anybody can make the service fail"
        "check the input, and answer 4xx with the documented error";
    PROBE_TAKEN "SGC051" "a bad request was taken"
        "wrong data gets into the system"
        "refuse it with the documented 4xx, or change the document to what is taken";
    SHAPE_CHANGED "SGC060" "an answer has another shape than the accepted one"
        "the document may allow it, and yet clients see something new"
        "look at the difference; `gate accept` keeps the new shape";
}

/// Returns a code by its name, whatever its case.
#[must_use]
pub fn find(id: &str) -> Option<&'static Code> {
    all().into_iter().find(|code| code.id.eq_ignore_ascii_case(id))
}
