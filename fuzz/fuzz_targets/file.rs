//! Files that come from elsewhere are read or refused: manifests, plans, checkpoints, models, waivers, rules, subsets.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use stagegate_base::{compose::Model, trace_parent::TraceParent, waiver::Waivers};
use stagegate_data_decide::{
    backup::{Manifest, offsite::listed_by_program, restic},
    sanitize::Rules,
    sync::{Post, subset::SubsetFile},
};
use stagegate_gate_decide::promotion::{ApprovalFile, Checkpoint, PlanFile, evidence::Evidence};
use stagegate_target_decide::facts;

fuzz_target!(|text: &str| {
    let path = Path::new("file");
    if let Ok(manifest) = Manifest::parse(text.as_bytes()) {
        for file in manifest.objects.iter().map(|object| &object.file) {
            assert!(!file.contains('/') && file != "..", "{file}");
        }
    }
    let _ = PlanFile::read(text.as_bytes());
    let _ = ApprovalFile::read(text.as_bytes());
    let _ = Checkpoint::read(text.as_bytes());
    let _ = Evidence::read(text.as_bytes());
    let _ = Model::parse(text);
    let _ = Waivers::parse(path, text, &[]);
    let _ = Rules::parse(text, "rules");
    let _ = SubsetFile::parse(text);
    let _ = Post::read(text);
    let _ = restic::snapshots(text);
    let _ = listed_by_program(text, "project");
    let _ = TraceParent::read(text);
    let _ = facts(text);
});
