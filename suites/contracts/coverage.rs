//! Was more seen of a service than refusals? A run in which nearly all answers refuse is not green.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use stagegate_base::record::Outcome;
use stagegate_contract::{code, hollow};

use super::{book::Book, wire::Wire};
use crate::{
    run::AT_A_TIME,
    trial::{Effect, Trial},
};

pub(super) fn trial(book: &Arc<Book>) -> Trial {
    let shared = Arc::clone(book);
    Trial::new("contracts", &book.service.name, "coverage", Effect::Reads, move |session| {
        let book = Arc::clone(&shared);
        async move {
            match book.wire(&session).await {
                Ok(wire) => judged(&book, wire).await,
                Err(reason) => Outcome::Broken(reason),
            }
        }
    })
}

pub(super) async fn judged(book: &Book, wire: &Wire) -> Outcome {
    let asked = stream::iter(book.possible()).map(|index| async move { book.ask(wire, index).await.status });
    let all: Vec<Option<u16>> = asked.buffer_unordered(AT_A_TIME).collect().await;
    let statuses: Vec<u16> = all.iter().flatten().copied().collect();
    if let Some(reason) = hollow(&statuses) {
        return Outcome::Broken(format!("{}: {reason}; {}", code::HOLLOW.id, code::HOLLOW.mend));
    }
    let seen = statuses.iter().filter(|status| (200..400).contains(*status)).count();
    Outcome::Pass(format!("{seen} of {} operations gave what they promise something about", book.calls.len()))
}
