//! What is wrong with the waivers themselves.

crate::code::define! {
    WAIVER_EXPIRED = "waiver-expired", Required,
        "a waiver has expired",
        "what it accepted for a time is reported again; somebody has to look at it once more",
        "fix what it covers and remove it, or give it a new date with its owner's consent";
    WAIVER_UNUSED = "waiver-unused", Required,
        "a waiver covers nothing",
        "it would hide the next finding of its kind, which nobody has accepted",
        "remove it";
}
