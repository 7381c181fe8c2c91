//! The whole chain: all the way down, and all the way up again.

use std::time::Instant;

use stagegate_migration_decide::{
    Chain, Migration, Route, Script,
    round_trip::{Down, Trip, Whole},
    schema::{Facts, diff},
};

use super::{bench::Bench, error::ProveError};

impl Bench<'_> {
    /// Goes from the top to the bottom and up again, as the tool would. Migrations that have no usable way back, or
    /// whose way up failed, are left out of both.
    pub(super) async fn whole(
        &mut self,
        chain: &Chain,
        trips: &[Trip],
        bottom: &Facts,
        top: &Facts,
    ) -> Result<Whole, ProveError> {
        let begun = Instant::now();
        let mut whole = Whole::default();
        let went_up =
            |trip: &Trip| trip.up.is_none() && !matches!(trip.down, Down::NotUsable { .. } | Down::NotTried(_));
        let pairs: Vec<(&Migration, bool)> =
            chain.migrations.iter().zip(trips).map(|(migration, trip)| (migration, went_up(trip))).collect();
        whole.left_out = pairs.iter().filter(|(_, goes)| !goes).map(|(migration, _)| migration.label()).collect();
        let going: Vec<&Migration> = pairs.iter().filter(|(_, goes)| *goes).map(|(migration, _)| *migration).collect();
        for migration in going.iter().rev() {
            let Some(down) = &migration.down else { continue };
            if let Some(failure) = self.step(down).await? {
                whole.down = Some((migration.version.clone(), failure));
                whole.took = begun.elapsed();
                return Ok(whole);
            }
        }
        let complete = whole.left_out.is_empty();
        let found = self.session().await?.facts().await?;
        // What stays of a migration that has no way back is told with that migration.
        whole.bottom = if complete { diff(bottom, &found) } else { Vec::new() };
        for migration in &going {
            if let Some(failure) = self.step(&migration.up).await? {
                whole.up = Some((migration.version.clone(), failure));
                whole.took = begun.elapsed();
                return Ok(whole);
            }
        }
        whole.top = diff(top, &self.session().await?.facts().await?);
        whole.took = begun.elapsed();
        Ok(whole)
    }

    async fn step(
        &mut self,
        script: &Script,
    ) -> Result<Option<stagegate_migration_decide::round_trip::Failure>, ProveError> {
        if let Route::Unreadable(reason) = script.route() {
            return Ok(Some(stagegate_migration_decide::round_trip::Failure::unreadable(script, &reason)));
        }
        Ok(self.session().await?.as_the_tool(script).await.err())
    }
}
