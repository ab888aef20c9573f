//! The schemas of the types that travel: as read for requests, as written for answers.

use nexus_core::id::{AgentId, CallId, PhoneNumberId, ServerId};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value as Json, json};

const PREFIX: &str = "#/components/schemas/";

/// Collects the schemas that the operations mention.
pub(super) struct Types {
    read: SchemaGenerator,
    written: SchemaGenerator,
}

impl Types {
    pub(super) fn new() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.meta_schema = None;
            })
        };
        Self {
            read: settings().for_deserialize().into_generator(),
            written: settings().for_serialize().into_generator(),
        }
    }

    /// The schema of a request's body. References into it carry the mark that [`Types::definitions`]
    /// takes away again.
    pub(super) fn read<T: JsonSchema>(&mut self) -> Json {
        let mut schema = self.read.subschema_for::<T>().to_value();
        rename(&mut schema, &|name| format!("read.{name}"));
        schema
    }

    /// The schema of an answer's body.
    pub(super) fn written<T: JsonSchema>(&mut self) -> Json {
        self.written.subschema_for::<T>().to_value()
    }

    /// A merge patch of what is read as `T`: the same members, none of them required.
    pub(super) fn patch<T: JsonSchema>(&mut self, name: &str, description: &str) -> Json {
        self.read.subschema_for::<T>();
        let whole = self.read.definitions().get(T::schema_name().as_ref());
        let mut schema = whole.cloned().unwrap_or_else(|| json!({}));
        if let Some(members) = schema.as_object_mut() {
            members.remove("required");
            members.insert("description".to_owned(), json!(description));
        }
        self.read.definitions_mut().insert(name.to_owned(), schema);
        json!({"$ref": format!("{PREFIX}read.{name}")})
    }

    /// All schemas by public name, with the references in them and in `paths` set right. A type that
    /// is read otherwise than it is written (members with defaults) stands there twice.
    pub(super) fn definitions(mut self, paths: &mut Map<String, Json>) -> Map<String, Json> {
        // Path parameters mention these by name.
        self.written.subschema_for::<AgentId>();
        self.written.subschema_for::<CallId>();
        self.written.subschema_for::<PhoneNumberId>();
        self.written.subschema_for::<ServerId>();
        let written = self.written.take_definitions(true);
        let mut read = self.read.take_definitions(true);
        let split = differing(&read, &written);
        let place = |name: &str| match name.strip_prefix("read.") {
            Some(name) if split.iter().any(|one| one == name) => format!("{}Input", public(name)),
            Some(name) => public(name),
            None => public(name),
        };
        let mut all = Map::new();
        for (name, schema) in &mut read {
            rename(schema, &|inner| place(&format!("read.{inner}")));
            all.insert(place(&format!("read.{name}")), schema.clone());
        }
        for (name, mut schema) in written {
            rename(&mut schema, &place);
            all.insert(place(&name), schema);
        }
        for path in paths.values_mut() {
            rename(path, &place);
        }
        all
    }
}

/// Types that are read otherwise than they are written, and those that hold such types.
fn differing(read: &Map<String, Json>, written: &Map<String, Json>) -> Vec<String> {
    let mut names: Vec<String> = read
        .iter()
        .filter(|(name, schema)| written.get(*name).is_some_and(|other| other != *schema))
        .map(|(name, _)| name.clone())
        .collect();
    loop {
        let holds = |schema: &Json| {
            let text = schema.to_string();
            names.iter().any(|name| text.contains(&format!("\"{PREFIX}{name}\"")))
        };
        let more: Vec<String> = read
            .iter()
            .filter(|(name, _)| written.contains_key(*name) && !names.contains(*name))
            .filter(|(_, schema)| holds(schema))
            .map(|(name, _)| name.clone())
            .collect();
        if more.is_empty() {
            return names;
        }
        names.extend(more);
    }
}

/// The name that clients see.
fn public(name: &str) -> String {
    match name.strip_suffix("List") {
        Some(item) => format!("{}List", public(item)),
        None => name.strip_suffix("View").unwrap_or(name).to_owned(),
    }
}

/// Renames what the references in `schema` lead to.
fn rename(schema: &mut Json, name: &dyn Fn(&str) -> String) {
    match schema {
        Json::Object(members) => {
            for (key, value) in members.iter_mut() {
                let target = if key == "$ref" { value.as_str() } else { None };
                match target.and_then(|target| target.strip_prefix(PREFIX)) {
                    Some(target) => *value = json!(format!("{PREFIX}{}", name(target))),
                    None => rename(value, name),
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| rename(item, name)),
        _ => {}
    }
}
