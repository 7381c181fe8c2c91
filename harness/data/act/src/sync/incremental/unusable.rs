//! Why a run does not end with what changed alone.

use stagegate_data_decide::sanitize::Found;
use stagegate_host::database::DatabaseError;

/// Why the kept copy does not lead to a new one.
pub(super) enum Unusable {
    /// A server refused something.
    Source(DatabaseError),
    /// Everything has to be copied, for this reason.
    Because(String),
    /// Values of sanitised columns are in the copy.
    Leak(Vec<Found>),
}

impl From<DatabaseError> for Unusable {
    fn from(error: DatabaseError) -> Self {
        Unusable::Source(error)
    }
}
