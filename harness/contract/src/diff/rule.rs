//! The rules: what a difference is called, and how much it weighs.
//!
//! One table. A schema's rules are made from three things: what differs, whether it became narrower or wider, and
//! whether it is sent (request) or received (response). To narrow what may be sent breaks, and to widen what may come.

use serde::{Deserialize, Serialize};

/// How much a change weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// No caller is hurt.
    Info,
    /// The documents cannot tell whether a caller is hurt.
    Warning,
    /// A caller that kept to the old contract can fail.
    Error,
}

impl Level {
    /// Returns the level's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Level::Info => "info",
            Level::Warning => "warning",
            Level::Error => "error",
        }
    }
}

/// A kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Its name, which never changes.
    pub id: &'static str,
    /// How much it weighs.
    pub level: Level,
    /// What happened, in a few words.
    pub text: &'static str,
}

/// Whether a value goes to the service or comes from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Direction {
    /// The body of a request.
    Request,
    /// A parameter: sent, and written as text.
    Parameter,
    /// The body or a header of a response.
    Response,
}

/// What became of a set of allowed values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Narrowed,
    Widened,
    /// Narrowed by a limit where there was none.
    Limited,
    /// Neither set holds the other, or nobody can tell.
    Changed,
}

macro_rules! rules {
    ($($name:ident $level:ident $id:literal $text:literal)*) => {
        $(pub(super) const $name: Rule = Rule { id: $id, level: Level::$level, text: $text };)*
        const PLAIN: &[Rule] = &[$($name),*];
    };
}

rules! {
    PATH_REMOVED Error "path-removed" "the path was removed"
    OPERATION_REMOVED Error "operation-removed" "the operation was removed without being deprecated"
    OPERATION_REMOVED_BEFORE_SUNSET Error "operation-removed-before-sunset" "the operation was removed before its announced date"
    OPERATION_REMOVED_WITHOUT_SUNSET Warning "operation-removed-without-sunset" "the operation was deprecated without a date, and removed"
    OPERATION_REMOVED_AFTER_SUNSET Info "operation-removed-after-sunset" "the operation was removed after its announced date"
    OPERATION_ADDED Info "operation-added" "a new operation"
    OPERATION_DEPRECATED Info "operation-deprecated" "the operation is deprecated"
    OPERATION_REACTIVATED Info "operation-reactivated" "the operation is no longer deprecated"
    OPERATION_ID_CHANGED Info "operation-id-changed" "the operation has another operationId: generated clients use another name"
    SUNSET_REMOVED Error "sunset-removed" "what is still deprecated lost its date"
    SUNSET_EARLIER Error "sunset-earlier" "what is deprecated will be removed earlier than announced"
    SUNSET_LATER Info "sunset-later" "what is deprecated will be removed later than announced"
    SUNSET_INVALID Error "sunset-invalid" "the date is not written YYYY-MM-DD"
    STABILITY_DECREASED Error "stability-decreased" "less stability is promised"
    STABILITY_INCREASED Info "stability-increased" "more stability is promised"
    PATH_PARAMETER_RENAMED Info "path-parameter-renamed" "the path has the same shape; a parameter has another name"
    PARAMETER_ADDED_REQUIRED Error "parameter-added-required" "a new parameter is required"
    PARAMETER_ADDED_OPTIONAL Info "parameter-added-optional" "a new parameter is optional"
    PARAMETER_REMOVED Warning "parameter-removed" "the parameter is ignored now, or rejected"
    PARAMETER_REMOVED_BEFORE_SUNSET Error "parameter-removed-before-sunset" "the parameter was removed before its announced date"
    PARAMETER_REMOVED_AFTER_SUNSET Info "parameter-removed-after-sunset" "the parameter was removed after its announced date"
    PARAMETER_MOVED Error "parameter-moved" "the parameter moved to another place"
    PARAMETER_BECAME_REQUIRED Error "parameter-became-required" "the parameter became required"
    PARAMETER_BECAME_OPTIONAL Info "parameter-became-optional" "the parameter became optional"
    PARAMETER_DEPRECATED Info "parameter-deprecated" "the parameter is deprecated"
    PARAMETER_SERIALISATION_CHANGED Error "parameter-serialisation-changed" "the parameter is serialized differently"
    PARAMETER_EMPTY_REFUSED Error "parameter-empty-refused" "the parameter must not be empty any more"
    PARAMETER_EMPTY_ALLOWED Info "parameter-empty-allowed" "the parameter may be empty"
    EXPLODE_WITHOUT_EFFECT Info "explode-without-effect" "explode differs; a single value is serialized the same"
    PARAMETER_DEFAULT_CHANGED Error "parameter-default-changed" "the default of the parameter changed"
    BODY_ADDED_REQUIRED Error "request-body-added-required" "a body is required now"
    BODY_ADDED_OPTIONAL Info "request-body-added-optional" "a body is accepted now"
    BODY_REMOVED Error "request-body-removed" "a body is no longer accepted"
    BODY_BECAME_REQUIRED Error "request-body-became-required" "the body became required"
    BODY_BECAME_OPTIONAL Info "request-body-became-optional" "the body became optional"
    REQUEST_MEDIA_TYPE_REMOVED Error "request-media-type-removed" "the media type is no longer accepted"
    REQUEST_MEDIA_TYPE_ADDED Info "request-media-type-added" "another media type is accepted"
    RESPONSE_MEDIA_TYPE_REMOVED Error "response-media-type-removed" "the media type is no longer returned"
    RESPONSE_MEDIA_TYPE_ADDED Info "response-media-type-added" "another media type can be requested"
    REQUEST_SCHEMA_ADDED Error "request-schema-added" "the body must match a schema now"
    REQUEST_SCHEMA_REMOVED Info "request-schema-removed" "any body is accepted"
    RESPONSE_SCHEMA_ADDED Info "response-schema-added" "the body has a schema now"
    RESPONSE_SCHEMA_REMOVED Warning "response-schema-removed" "any body can be returned"
    RESPONSE_SUCCESS_REMOVED Error "response-success-removed" "the success response was removed"
    RESPONSE_STATUS_REMOVED Info "response-status-removed" "a response other than success was removed"
    RESPONSE_STATUS_ADDED Info "response-status-added" "a new response"
    RESPONSE_HEADER_REMOVED_REQUIRED Error "response-header-removed-required" "a header or parameter that was always sent was removed"
    RESPONSE_HEADER_REMOVED_OPTIONAL Warning "response-header-removed-optional" "an optional header or parameter was removed"
    RESPONSE_HEADER_ADDED Info "response-header-added" "a new header or parameter"
    RESPONSE_HEADER_BECAME_OPTIONAL Error "response-header-became-optional" "the header or parameter became optional"
    RESPONSE_HEADER_BECAME_REQUIRED Info "response-header-became-required" "the header or parameter is always sent"
    RESPONSE_HEADER_SERIALISATION_CHANGED Error "response-header-serialisation-changed" "the header or parameter is serialized differently"
    REQUEST_PROPERTY_ADDED_REQUIRED Error "request-property-added-required" "a new property is required"
    REQUEST_PROPERTY_ADDED_OPTIONAL Info "request-property-added-optional" "a new property is optional"
    REQUEST_PROPERTY_REMOVED Warning "request-property-removed" "the property is no longer documented: ignored, or rejected"
    REQUEST_PROPERTY_REFUSED Error "request-property-refused" "the property was removed and no other is accepted"
    REQUEST_PROPERTY_BECAME_REQUIRED Error "request-property-became-required" "the property became required"
    REQUEST_PROPERTY_BECAME_OPTIONAL Info "request-property-became-optional" "the property became optional"
    RESPONSE_PROPERTY_REMOVED_REQUIRED Error "response-property-removed-required" "a property that was always sent was removed"
    RESPONSE_PROPERTY_REMOVED_OPTIONAL Warning "response-property-removed-optional" "an optional property was removed"
    RESPONSE_PROPERTY_ADDED Info "response-property-added" "a new property"
    RESPONSE_PROPERTY_BECAME_OPTIONAL Error "response-property-became-optional" "the property became optional"
    RESPONSE_PROPERTY_BECAME_REQUIRED Info "response-property-became-required" "the property is always sent"
    REQUEST_READ_ONLY_ADDED Warning "request-property-became-read-only" "the property is ignored in requests, or rejected"
    REQUEST_READ_ONLY_REMOVED Warning "request-property-became-writable" "the property is read in requests now"
    REQUEST_READ_ONLY_REMOVED_REQUIRED Error "request-property-became-writable-required" "the property must be sent now"
    RESPONSE_WRITE_ONLY_ADDED Warning "response-property-became-write-only" "the property is no longer sent in responses"
    RESPONSE_WRITE_ONLY_ADDED_REQUIRED Error "response-property-became-write-only-required" "the property was always sent and no longer is"
    RESPONSE_WRITE_ONLY_REMOVED Info "response-property-became-readable" "the property is sent in responses now"
    PROPERTY_DEPRECATED Info "property-deprecated" "the property is deprecated"
    REQUEST_DEFAULT_CHANGED Warning "request-default-changed" "the default of the value changed"
    RESPONSE_DEFAULT_CHANGED Info "response-default-changed" "the documented default differs"
    XML_TYPE_CHANGED Warning "xml-type-changed" "another type, where every value is serialized as text"
    DISCRIMINATOR_CHANGED Error "discriminator-changed" "another property distinguishes the shapes"
    REQUEST_ALL_OF_ADDED Error "request-all-of-added" "another schema must be matched as well"
    SECURITY_ADDED Error "security-added" "what was public needs credentials"
    SECURITY_REMOVED Warning "security-removed" "what needed credentials is public"
    SECURITY_ALTERNATIVE_REMOVED Error "security-alternative-removed" "credentials that were sufficient no longer are"
    SECURITY_ALTERNATIVE_ADDED Info "security-alternative-added" "other credentials are sufficient too"
    SECURITY_SCOPE_ADDED Error "security-scope-added" "the credentials need another scope"
    SECURITY_SCOPE_REMOVED Info "security-scope-removed" "the credentials need fewer scopes"
    SECURITY_SCHEME_CHANGED Error "security-scheme-changed" "the credentials are sent in another way"
    SECURITY_URL_CHANGED Warning "security-url-changed" "tokens are issued elsewhere"
    SECURITY_FLOW_REMOVED Warning "security-flow-removed" "a flow to get tokens was removed"
    SECURITY_FLOW_ADDED Info "security-flow-added" "another flow to get tokens"
    BEARER_FORMAT_CHANGED Info "security-bearer-format-changed" "the documented format of the token differs"
    WEBHOOK_REMOVED Error "webhook-removed" "the service no longer sends the request"
    WEBHOOK_ADDED Info "webhook-added" "the service can send a new request"
    WEBHOOK_BODY_REMOVED Error "webhook-body-removed" "no body is sent any more"
    WEBHOOK_BODY_ADDED Info "webhook-body-added" "a body is sent now"
    WEBHOOK_BODY_BECAME_OPTIONAL Error "webhook-body-became-optional" "the body became optional"
    WEBHOOK_BODY_BECAME_REQUIRED Info "webhook-body-became-required" "the body is always sent"
    CALLBACK_REMOVED Error "callback-removed" "the service no longer sends the request"
    CALLBACK_ADDED Info "callback-added" "the service can send a new request"
    CALLBACK_BODY_REMOVED Error "callback-body-removed" "no body is sent any more"
    CALLBACK_BODY_ADDED Info "callback-body-added" "a body is sent now"
    CALLBACK_BODY_BECAME_OPTIONAL Error "callback-body-became-optional" "the body became optional"
    CALLBACK_BODY_BECAME_REQUIRED Info "callback-body-became-required" "the body is always sent"
    SERVER_REMOVED Warning "server-removed" "the server was removed: callers that use its address must find another one"
    SERVER_ADDED Info "server-added" "a new server"
    SERVER_VARIABLE_NARROWED Warning "server-variable-narrowed" "a variable of the server lost a value, or has another default"
    SERVER_VARIABLE_WIDENED Info "server-variable-widened" "a variable of the server has new values"
    NOT_COMPARED Warning "not-compared" "schemas are nested too deeply; deeper levels were not compared"
}

/// What of a schema differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aspect {
    Type,
    Format,
    Nullable,
    Enum,
    Minimum,
    Maximum,
    MultipleOf,
    MinLength,
    MaxLength,
    Pattern,
    MinItems,
    MaxItems,
    UniqueItems,
    MinProperties,
    MaxProperties,
    AdditionalProperties,
    Items,
    OneOf,
    AnyOf,
    Content,
    Extensible,
    Other,
}

/// The rules of one aspect, in the order of [`Effect`].
struct Aspects {
    aspect: Aspect,
    /// A limit of a request where there was none: often it only writes down what always held.
    limited: Rule,
    request: [Rule; 3],
    response: [Rule; 3],
}

macro_rules! aspects {
    ($($aspect:ident $word:literal $what:literal $rn:ident $rw:ident $rc:ident, $sn:ident $sw:ident $sc:ident;)*) => {
        const SCHEMA: &[Aspects] = &[$(Aspects {
            aspect: Aspect::$aspect,
            limited: Rule { id: concat!("request-", $word, "-set"), level: Level::Warning, text: concat!("a new limit: ", $what) },
            request: [
                Rule { id: concat!("request-", $word, "-narrowed"), level: Level::$rn, text: concat!("accepts fewer values: ", $what) },
                Rule { id: concat!("request-", $word, "-widened"), level: Level::$rw, text: concat!("accepts more values: ", $what) },
                Rule { id: concat!("request-", $word, "-changed"), level: Level::$rc, text: concat!("accepts other values: ", $what) },
            ],
            response: [
                Rule { id: concat!("response-", $word, "-narrowed"), level: Level::$sn, text: concat!("returns fewer values: ", $what) },
                Rule { id: concat!("response-", $word, "-widened"), level: Level::$sw, text: concat!("returns more values: ", $what) },
                Rule { id: concat!("response-", $word, "-changed"), level: Level::$sc, text: concat!("returns other values: ", $what) },
            ],
        }),*];
    };
}

aspects! {
    Type "type" "type" Error Info Error, Info Error Error;
    Format "format" "format" Error Info Error, Info Error Error;
    Nullable "nullable" "nullable" Error Info Error, Info Error Error;
    Enum "enum" "allowed values" Error Info Error, Info Error Error;
    Minimum "minimum" "minimum" Error Info Error, Info Error Error;
    Maximum "maximum" "maximum" Error Info Error, Info Error Error;
    MultipleOf "multiple-of" "multipleOf" Error Info Error, Info Error Error;
    MinLength "min-length" "minimum length" Error Info Error, Info Error Error;
    MaxLength "max-length" "maximum length" Error Info Error, Info Error Error;
    // Whether one pattern takes more texts than another one can't be told from the two; few clients check patterns.
    Pattern "pattern" "pattern" Error Info Warning, Info Warning Warning;
    MinItems "min-items" "minimum number of items" Error Info Error, Info Error Error;
    MaxItems "max-items" "maximum number of items" Error Info Error, Info Error Error;
    UniqueItems "unique-items" "unique items" Error Info Error, Info Error Error;
    MinProperties "min-properties" "minimum number of properties" Error Info Error, Info Error Error;
    MaxProperties "max-properties" "maximum number of properties" Error Info Error, Info Error Error;
    AdditionalProperties "additional-properties" "additional properties" Error Info Error, Info Error Error;
    Items "items" "items" Error Info Error, Info Error Error;
    OneOf "one-of" "shapes of oneOf" Error Info Error, Info Error Error;
    // A caller of anyOf reads the shapes it knows; more of them hurt only one that refuses what it does not know.
    AnyOf "any-of" "shapes of anyOf" Error Info Error, Info Warning Error;
    Content "content" "content encoding" Error Info Error, Info Error Error;
    // Callers of a list that may grow have to be ready for what they do not know.
    Extensible "extensible-enum" "extensible enum" Error Info Error, Info Info Info;
    Other "constraint" "other keywords" Error Info Warning, Info Error Warning;
}

/// Returns the rule of a schema's difference.
pub(super) fn of(aspect: Aspect, effect: Effect, direction: Direction) -> Rule {
    let found = SCHEMA.iter().find(|rules| rules.aspect == aspect);
    let Some(rules) = found else { return NOT_COMPARED };
    if effect == Effect::Limited && direction != Direction::Response && can_be_limited(aspect) {
        return rules.limited;
    }
    let list = if direction == Direction::Response { &rules.response } else { &rules.request };
    match effect {
        Effect::Narrowed | Effect::Limited => list[0],
        Effect::Widened => list[1],
        Effect::Changed => list[2],
    }
}

/// Returns whether two sets of an aspect's values can be so that neither holds the other.
fn can_change(aspect: Aspect) -> bool {
    matches!(
        aspect,
        Aspect::Type | Aspect::Format | Aspect::MultipleOf | Aspect::Pattern | Aspect::Content | Aspect::Other
    )
}

/// Returns whether a limit where there was none is often only written down.
fn can_be_limited(aspect: Aspect) -> bool {
    matches!(
        aspect,
        Aspect::Format | Aspect::Minimum | Aspect::Maximum | Aspect::MaxLength | Aspect::MinItems | Aspect::MaxItems
    )
}

/// Lists every rule.
#[must_use]
pub fn all() -> Vec<Rule> {
    let schema = SCHEMA.iter().flat_map(|rules| {
        let shown = if can_change(rules.aspect) { 3 } else { 2 };
        let limited = can_be_limited(rules.aspect).then_some(rules.limited).into_iter();
        limited.chain(rules.request.into_iter().take(shown)).chain(rules.response.into_iter().take(shown))
    });
    PLAIN.iter().copied().chain(schema).collect()
}
