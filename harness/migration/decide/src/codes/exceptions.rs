//! What is wrong with the exceptions themselves.

crate::code::define! {
    EXCEPTION_EXPIRED = "exception-expired", Required,
        "an exception is over",
        "what it accepted for a time is told again; somebody has to look at it once more",
        "mend what it covers and remove it, or give it a new date with its owner's consent";
    EXCEPTION_UNUSED = "exception-unused", Required,
        "an exception covers nothing",
        "it would hide the next finding of its kind, which nobody has accepted",
        "remove it";
}
