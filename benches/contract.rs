//! How long two contracts of 10,000 operations take to be read and compared.
//!
//! `cargo bench --bench contract -- --quick` for a look; without `--quick` for numbers that can be compared.

use std::{fmt::Write, hint::black_box};

use criterion::{Criterion, Throughput};
use stagegate_contract::{
    Format,
    diff::{Contract, compare},
};

const OPERATIONS: usize = 10_000;
const SCHEMAS: usize = 2_000;

fn main() {
    // `cargo bench -- --env NAME` is meant for the bench `environment` alone.
    if std::env::args().any(|argument| argument == "--env" || argument.starts_with("--env=")) {
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    let (old, new) = (document("1"), document("2"));
    let mut group = criterion.benchmark_group("contract");
    group.sample_size(10);
    group.throughput(Throughput::Bytes((old.len() + new.len()) as u64));
    group.bench_function("read and compare 10,000 operations", |bencher| {
        bencher.iter(|| {
            let read = |text| Contract::read(text, Format::Json);
            match (read(black_box(&old)), read(black_box(&new))) {
                (Ok(old), Ok(new)) => compare(&old, &new, "2026-01-02").len(),
                _ => 0,
            }
        });
    });
    group.finish();
    criterion.final_summary();
}

/// Writes a contract: operations that share schemas, which lead to each other. `least` is a bound in some of them.
fn document(least: &str) -> String {
    let mut text = String::from(r#"{"openapi": "3.1.0", "info": {"title": "shop", "version": "1"}, "paths": {"#);
    for n in 0..OPERATIONS {
        let schema = n % SCHEMAS;
        let comma = if n == 0 { "" } else { "," };
        // A text cannot fail to grow.
        let _ = write!(
            text,
            r##"{comma}
  "/shop/things{n}/{{id}}": {{ "post": {{
    "operationId": "operation{n}", "description": "Changes a thing and returns it as it is then.",
    "parameters": [
      {{ "name": "id", "in": "path", "required": true, "schema": {{ "type": "string", "maxLength": 64 }} }},
      {{ "name": "limit", "in": "query", "schema": {{ "type": "integer", "minimum": {least} }} }}
    ],
    "requestBody": {{ "required": true, "content": {{ "application/json": {{ "schema": {{
      "type": "object", "required": ["thing"], "properties": {{
        "thing": {{ "$ref": "#/components/schemas/S{schema}" }}, "note": {{ "type": "string", "maxLength": 500 }}
      }} }} }} }} }},
    "responses": {{ "200": {{ "description": "the thing", "content": {{ "application/json": {{ "schema": {{
      "type": "object", "required": ["items"], "properties": {{
        "items": {{ "type": "array", "items": {{ "$ref": "#/components/schemas/S{schema}" }} }}
      }} }} }} }} }} }} }} }}"##
        );
    }
    text.push_str("\n}, \"components\": {\"schemas\": {");
    for n in 0..SCHEMAS {
        let (comma, next) = (if n == 0 { "" } else { "," }, (n * 7 + 1) % SCHEMAS);
        let _ = write!(
            text,
            r##"{comma}
  "S{n}": {{ "type": "object", "required": ["id"], "properties": {{
    "id": {{ "type": "integer", "minimum": {least} }}, "name": {{ "type": "string", "maxLength": 200 }},
    "status": {{ "type": "string", "enum": ["new", "paid", "sent"] }},
    "parent": {{ "$ref": "#/components/schemas/S{next}" }} }} }}"##
        );
    }
    text.push_str("\n}}}\n");
    text
}
