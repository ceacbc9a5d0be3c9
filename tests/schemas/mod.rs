//! Validates JSON that Lifeboot printed against the schemas in `docs/schema`,
//! closed: a field that its schema does not know is a fault here, so that no
//! field gets out unpublished.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, ensure};
use jsonschema::Validator;
use serde_json::{Map, Value, json};

static KNOWN: Mutex<BTreeMap<String, Arc<Validator>>> = Mutex::new(BTreeMap::new());

/// Every document in `value`, itself or within, is what its schema says; how
/// many there are.
pub fn check(value: &Value) -> Result<usize> {
    let mut count = 0;
    if let Some(name) = value.get("schema").and_then(Value::as_str) {
        let validator = validator(name)?;
        let faults: Vec<String> = validator
            .iter_errors(value)
            .take(5)
            .map(|error| format!("{}: {error:.300}", error.instance_path()))
            .collect();
        ensure!(faults.is_empty(), "{name}: {faults:#?}");
        count += 1;
    }
    let within: Vec<&Value> = match value {
        Value::Object(fields) => fields.values().collect(),
        Value::Array(items) => items.iter().collect(),
        _ => Vec::new(),
    };
    for each in within {
        count += check(each)?;
    }
    Ok(count)
}

fn validator(name: &str) -> Result<Arc<Validator>> {
    let mut known = KNOWN.lock().unwrap_or_else(|error| error.into_inner());
    if let Some(validator) = known.get(name) {
        return Ok(validator.clone());
    }
    let schema = closed(published(name)?);
    let validator = Arc::new(jsonschema::draft202012::new(&schema)?);
    known.insert(name.to_owned(), validator.clone());
    Ok(validator)
}

/// The schema that is published under the name that a document carries.
pub fn published(name: &str) -> Result<Value> {
    let file = name
        .strip_prefix("lifeboot/")
        .with_context(|| format!("no name of a schema: {name:?}"))?
        .replace('/', "-");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema");
    let path = folder.join(format!("{file}.json"));
    let text = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    Ok(serde_json::from_slice(&text)?)
}

/// The schema without leave to have other fields.
pub fn closed(mut schema: Value) -> Value {
    let definitions = match schema.get_mut("$defs").map(Value::take) {
        Some(Value::Object(definitions)) => definitions,
        _ => Map::new(),
    };
    let mut both = Map::new();
    for (name, mut definition) in definitions {
        // Fields may stand beside a reference: what it refers to must not
        // object to those then.
        let mut open = definition.clone();
        leave_open(&mut open);
        both.insert(format!("{name}__open"), open);
        close(&mut definition);
        both.insert(name, definition);
    }
    close(&mut schema);
    schema["$defs"] = Value::Object(both);
    schema
}

fn close(schema: &mut Value) {
    close_within(schema);
    let Some(fields) = schema.as_object_mut() else {
        return;
    };
    // A map of names that the patient chose says so.
    if !fields.contains_key("properties") || fields.contains_key("additionalProperties") {
        return;
    }
    refer_to_open(fields);
    fields.insert("unevaluatedProperties".into(), json!(false));
}

/// For what stands beside fields: it is closed with them.
fn leave_open(schema: &mut Value) {
    close_within(schema);
    if let Some(fields) = schema.as_object_mut() {
        refer_to_open(fields);
    }
}

fn refer_to_open(fields: &mut Map<String, Value>) {
    if let Some(Value::String(reference)) = fields.get_mut("$ref") {
        reference.push_str("__open");
    }
}

/// Closes what lies below, not this one.
fn close_within(schema: &mut Value) {
    let Some(fields) = schema.as_object_mut() else {
        return;
    };
    let has_own = fields.contains_key("properties");
    for (key, value) in fields {
        match (key.as_str(), value) {
            ("properties", Value::Object(properties)) => properties.values_mut().for_each(close),
            // Alternatives that stand beside fields are a part of them.
            ("oneOf" | "anyOf" | "allOf", Value::Array(all)) if has_own => {
                all.iter_mut().for_each(leave_open);
            }
            ("oneOf" | "anyOf" | "allOf" | "prefixItems", Value::Array(all)) => {
                all.iter_mut().for_each(close);
            }
            ("items" | "additionalProperties", value) => close(value),
            _ => {}
        }
    }
}
