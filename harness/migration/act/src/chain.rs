//! The whole chain: all the way down, and all the way up again.

use std::time::Instant;

use stagegate_migration_decide::{
    Chain, Migration, Route, Script,
    round_trip::{Down, Failure, RoundTrip, Whole},
    schema::{Facts, diff},
};

use super::{
    bench::{Bench, blamed},
    error::ProveError,
};

impl Bench<'_> {
    /// Goes from the top to the bottom and up again, as the tool would. Migrations that have no usable down migration, or
    /// whose way up failed, are left out of both.
    pub(super) async fn whole(
        &mut self,
        chain: &Chain,
        round_trips: &[RoundTrip],
        bottom: &Facts,
        top: &Facts,
    ) -> Result<Whole, ProveError> {
        let begun = Instant::now();
        let mut whole = Whole::default();
        let went_up = |round_trip: &RoundTrip| {
            round_trip.up.is_none() && !matches!(round_trip.down, Down::NotUsable { .. } | Down::NotTried(_))
        };
        let pairs: Vec<(&Migration, bool)> = chain
            .migrations
            .iter()
            .zip(round_trips)
            .map(|(migration, round_trip)| (migration, went_up(round_trip)))
            .collect();
        whole.left_out = pairs.iter().filter(|(_, goes)| !goes).map(|(migration, _)| migration.label()).collect();
        let complete = whole.left_out.is_empty();
        // A tool reverts in its own order: what lies below a migration without a down migration is out of its reach.
        let is_driven = self.options.commands.as_ref().is_some_and(|commands| commands.config.tool.is_some());
        let last_out = pairs.iter().rposition(|(_, goes)| !goes).filter(|_| is_driven);
        let reachable = pairs.iter().skip(last_out.map_or(0, |at| at + 1));
        let going: Vec<&Migration> = reachable.filter(|(_, goes)| *goes).map(|(migration, _)| *migration).collect();
        let downs = going.iter().rev().filter_map(|one| Some((one.version.as_str(), one.down.as_ref()?))).collect();
        if let Some(failed) = self.way(downs, complete).await? {
            whole.down = Some(failed);
            whole.took = begun.elapsed();
            return Ok(whole);
        }
        let found = self.session().await?.facts().await?;
        // What stays of a migration that has no down migration is reported with that migration.
        whole.bottom = if complete { diff(bottom, &found) } else { Vec::new() };
        let ups = going.iter().map(|one| (one.version.as_str(), &one.up)).collect();
        if let Some(failed) = self.way(ups, complete).await? {
            whole.up = Some(failed);
            whole.took = begun.elapsed();
            return Ok(whole);
        }
        whole.top = diff(top, &self.session().await?.facts().await?);
        whole.took = begun.elapsed();
        Ok(whole)
    }

    /// Runs scripts one after the other, all of them by one command where the tool has one; returns the version at which
    /// it stopped.
    async fn way(
        &mut self,
        scripts: Vec<(&str, &Script)>,
        is_whole: bool,
    ) -> Result<Option<(String, Failure)>, ProveError> {
        if let (Some(commands), Some((_, first)), true) = (&self.options.commands, scripts.first(), is_whole)
            && let Some(result) = commands.all(self.scratch, &self.main, first).await
        {
            return Ok(result.err());
        }
        for (version, script) in scripts {
            if let Some(failure) = self.step(script).await? {
                return Ok(Some((version.to_owned(), failure)));
            }
        }
        Ok(None)
    }

    async fn step(&mut self, script: &Script) -> Result<Option<Failure>, ProveError> {
        if let Route::Unreadable(reason) = script.route() {
            return Ok(Some(Failure::unreadable(script, &reason)));
        }
        match self.session().await?.as_the_tool(script, "").await {
            Ok(_) => Ok(None),
            Err(failure) => Ok(Some(blamed(self.scratch, failure).await)),
        }
    }
}
