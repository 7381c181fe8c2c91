//! Whose schema a run leaves, where it is not the live release's.

use super::{Kind, Plan, SchemaFit};

/// Returns whose schema the databases have once the run of `plan` is through, for a person; `None` where it is that of the
/// release which is live then.
#[must_use]
pub fn schema_ahead(plan: &Plan) -> Option<String> {
    let is_of_code_alone = matches!(plan.kind, Kind::Rollback { data: false, .. });
    let is_changed = plan.schema_fit.as_ref().is_some_and(|fit| *fit != SchemaFit::Unchanged);
    (is_of_code_alone && is_changed)
        .then(|| format!("{} (run {} rolled the code back, not the data)", plan.previous.name, plan.run))
}

#[cfg(test)]
mod tests {
    use super::{super::tests::plan, *};

    #[test]
    fn only_a_rollback_of_code_alone_over_a_changed_schema_leaves_it_ahead() {
        let back = |data| Kind::Rollback { run: "20260101-000000-aaaa".to_owned(), data };
        let of = |kind, schema_fit| schema_ahead(&Plan { schema_fit, ..plan(kind) });
        let unknown = || Some(SchemaFit::Unknown { reason: "a later release changed the schema".to_owned() });
        for fit in [Some(SchemaFit::Healthy), unknown()] {
            assert!(of(back(false), fit).is_some_and(|text| text.contains("rolled the code back")));
        }
        for (kind, fit) in [
            (back(false), Some(SchemaFit::Unchanged)),
            (back(false), None),
            (back(true), unknown()),
            (Kind::Promote, unknown()),
        ] {
            assert_eq!(of(kind.clone(), fit), None, "{kind:?}");
        }
    }
}
