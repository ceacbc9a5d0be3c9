//! The JSON Schemas in `docs/schema` are those of the types. After a change of
//! a type: `LIFEBOOT_WRITE_SCHEMA=1 cargo test --lib schema`, then look at the
//! difference and at the promise in `docs/schema/README.md`.

use std::fs;
use std::path::Path;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};

use super::Report;
use super::document::{self, Document};
use crate::facts::elf::{SymbolScan, scan::Scan};
use crate::facts::integrity::Integrity;
use crate::facts::packages::Packages;
use crate::salvage::Summary;

/// The schema of `T`, whose `schema` field says `name`.
fn of<T: JsonSchema>(name: &'static str, title: &str) -> (&'static str, String) {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema: Schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("title".into(), title.into());
    let field = schema.pointer_mut("/properties/schema").unwrap();
    *field = serde_json::json!({
        "const": name,
        "description": "The form and version of this document."
    });
    (name, serde_json::to_string_pretty(&schema).unwrap() + "\n")
}

#[test]
fn the_published_schemas_are_those_of_the_types() {
    let all = [
        of::<Report>(document::DIAGNOSE, "lifeboot diagnose --json"),
        of::<Document<document::Storage>>(document::SURVEY, "lifeboot survey --json"),
        of::<Document<document::Mirrors>>(document::LEGS, "lifeboot legs --json"),
        of::<Document<document::Programs>>(document::ELF, "lifeboot elf PATH --json"),
        of::<Document<Scan>>(document::ELF_SCAN, "lifeboot elf --json"),
        of::<Document<SymbolScan>>(document::ELF_SYMBOLS, "lifeboot elf --symbols --json"),
        of::<Document<Packages>>(document::PACKAGES, "lifeboot packages --json"),
        of::<Document<Integrity>>(document::VERIFIED, "lifeboot packages --verify --json"),
        of::<Document<document::Timeline>>(document::HISTORY, "lifeboot history --json"),
        of::<Document<document::Log>>(document::LOG, "lifeboot log --json"),
        of::<Document<document::Repaired>>(document::REPAIR, "lifeboot repair --json"),
        of::<Document<document::Undone>>(document::UNDO, "lifeboot undo --json"),
        of::<Document<Summary>>(document::SALVAGE, "lifeboot salvage --json"),
        of::<Document<document::Compared>>(document::VERIFY, "lifeboot verify --json"),
    ];
    let mut stale = Vec::new();
    for (name, schema) in all {
        let (_, file) = name.split_once('/').unwrap();
        let (command, version) = file.split_once('/').unwrap();
        let path = format!("docs/schema/{command}-{version}.json");
        if std::env::var_os("LIFEBOOT_WRITE_SCHEMA").is_some() {
            fs::create_dir_all(Path::new(&path).parent().unwrap()).unwrap();
            fs::write(&path, &schema).unwrap();
        }
        if fs::read_to_string(&path).ok().as_ref() != Some(&schema) {
            stale.push(path);
        }
    }
    assert!(
        stale.is_empty(),
        "not what the types say: {stale:?}; see the head of {}",
        file!()
    );
}
