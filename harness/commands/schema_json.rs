//! `gate schema-json`: the keys of the files that users write, for editors.

use serde_json::Value;
use stagegate_base::{config, exit::Exit, waiver};
use stagegate_data_decide::{sanitize, sync::subset};
use stagegate_workflow_decide as workflow;

use crate::{
    cli::{SchemaJson, UserFile},
    failure::{Failure, give_json},
};

const CONFIG: &str = include_str!("../../docs/stagegate.toml");
const WORKFLOW: &str = include_str!("../../docs/workflow.toml");
const WAIVERS: &str = include_str!("../../docs/stagegate-waivers.toml");
const SANITIZE: &str = include_str!("../../docs/stagegate-sanitize.toml");
const SUBSET: &str = include_str!("../../docs/subset.toml");

pub(super) fn run(args: &SchemaJson) -> Result<Exit, Failure> {
    give_json(&text(args.file)?);
    Ok(Exit::Passed)
}

/// Returns the JSON Schema of a file.
pub(super) fn text(file: UserFile) -> Result<String, Failure> {
    let schema: Value = match file {
        UserFile::Config => config::json_schema(CONFIG),
        UserFile::Workflow => workflow::json_schema(WORKFLOW),
        UserFile::Waivers => waiver::json_schema(WAIVERS),
        UserFile::Sanitize => sanitize::json_schema(SANITIZE),
        UserFile::Subset => subset::json_schema(SUBSET),
    }
    .map_err(Failure::unexpected)?;
    Ok(serde_json::to_string_pretty(&schema)?)
}
