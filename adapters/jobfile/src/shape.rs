//! The shape of a job, read off its JSON Schema: which keys stand where, and what each may hold.
//!
//! The schema comes from the same types that are filled in the end, so the two cannot drift apart; where a schema says less than
//! the types (flattened parts are open to unknown keys), objects with named keys are closed here.

use serde_json::Value;

/// What a value may be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    Any,
    Bool,
    Integer {
        min: i128,
        max: i128,
    },
    Number,
    Text,
    /// One of a set of words.
    Choice(Vec<String>),
    List(Box<Shape>),
    /// Keys of the user's own, or of a set.
    Map {
        keys: Option<Vec<String>>,
        value: Box<Shape>,
    },
    /// Named keys, and no others.
    Group(Vec<Field>),
    /// Named keys that depend on the word under one of them.
    Tagged {
        tag: String,
        variants: Vec<(String, Vec<Field>)>,
    },
    /// Left out, or this.
    Optional(Box<Shape>),
    /// The first that fits the kind of value found.
    OneOf(Vec<Shape>),
}

/// A named key.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) shape: Shape,
    pub(crate) required: bool,
}

impl Shape {
    /// Reads a JSON Schema as `schemars` writes it; what it does not know is [`Shape::Any`].
    pub(crate) fn of(schema: &Value) -> Self {
        read(schema, schema, 0)
    }

    /// What stands behind options: the shape of a value that is there.
    pub(crate) fn present(&self) -> &Self {
        match self {
            Self::Optional(inner) => inner.present(),
            other => other,
        }
    }

    /// The named keys of a group, of every variant, or of the group among several forms.
    pub(crate) fn fields(&self) -> Vec<&Field> {
        match self {
            Self::Group(fields) => fields.iter().collect(),
            Self::Tagged { variants, .. } => {
                let mut all: Vec<&Field> = Vec::new();
                for field in variants.iter().flat_map(|(_, fields)| fields) {
                    if !all.iter().any(|known| known.name == field.name) {
                        all.push(field);
                    }
                }
                all
            }
            Self::Optional(inner) => inner.fields(),
            Self::List(item) => item.fields(),
            Self::OneOf(forms) => forms
                .iter()
                .map(Self::fields)
                .find(|fields| !fields.is_empty())
                .unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    /// What may stand here, in a reader's words: `a number`, `one of …`.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Any => "a value".into(),
            Self::Bool => "`true` or `false`".into(),
            Self::Integer { min, max } if *min >= 0 && *max > i128::from(u16::MAX) => "a whole number".into(),
            Self::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Self::Number => "a number".into(),
            Self::Text => "a text".into(),
            Self::Choice(words) => crate::near::list(words.iter().map(String::as_str), "or"),
            Self::List(item) => format!("a list ({} each)", item.words()),
            Self::Map { .. } | Self::Group(_) | Self::Tagged { .. } => "a group of keys".into(),
            Self::Optional(inner) => inner.words(),
            Self::OneOf(forms) => {
                let words: Vec<String> = forms.iter().map(Self::words).collect();
                words.join(" or ")
            }
        }
    }

    /// Paths of every place below with a key of this name, as `section.key`; list items and variants are not told apart.
    pub(crate) fn homes_of(&self, name: &str) -> Vec<String> {
        let mut homes = Vec::new();
        self.find_homes(name, &mut String::new(), &mut homes);
        homes
    }

    fn find_homes(&self, name: &str, path: &mut String, homes: &mut Vec<String>) {
        for field in self.fields() {
            if field.name == name && !homes.contains(path) {
                homes.push(path.clone());
            }
            let length = path.len();
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(&field.name);
            field.shape.find_homes(name, path, homes);
            path.truncate(length);
        }
    }
}

/// Deeper than any job's types go; a schema that refers to itself ends here.
const DEPTH_MAX: usize = 32;

fn read(schema: &Value, root: &Value, depth: usize) -> Shape {
    let schema = resolve(schema, root);
    if depth > DEPTH_MAX {
        return Shape::Any;
    }
    let read = |schema: &Value| read(schema, root, depth + 1);
    for word in ["anyOf", "oneOf"] {
        if let Some(forms) = schema.get(word).and_then(Value::as_array) {
            return alternatives(forms, root, depth);
        }
    }
    if let Some([only]) = schema.get("allOf").and_then(Value::as_array).map(Vec::as_slice) {
        return read(only);
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return Shape::Choice(
            words
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
        );
    }
    if let Some(word) = schema.get("const").and_then(Value::as_str) {
        return Shape::Choice(vec![word.to_owned()]);
    }
    let (name, optional) = type_of(schema);
    let shape = match name {
        Some("boolean") => Shape::Bool,
        Some("integer") => integer(schema),
        Some("number") => Shape::Number,
        Some("string") => Shape::Text,
        Some("array") => Shape::List(Box::new(schema.get("items").map_or(Shape::Any, read))),
        Some("object") => object(schema, root, depth),
        _ => Shape::Any,
    };
    if optional {
        Shape::Optional(Box::new(shape))
    } else {
        shape
    }
}

fn resolve<'s>(schema: &'s Value, root: &'s Value) -> &'s Value {
    schema
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|path| root.pointer(path.trim_start_matches('#')))
        .unwrap_or(schema)
}

/// The type's name, and whether null is one too.
fn type_of(schema: &Value) -> (Option<&str>, bool) {
    match schema.get("type") {
        Some(Value::String(name)) => (Some(name), false),
        Some(Value::Array(names)) => {
            let names = || names.iter().filter_map(Value::as_str);
            (
                names().find(|name| *name != "null"),
                names().any(|name| name == "null"),
            )
        }
        _ => (None, false),
    }
}

fn integer(schema: &Value) -> Shape {
    let (min, max) = match schema.get("format").and_then(Value::as_str) {
        Some("uint8") => (0, i128::from(u8::MAX)),
        Some("uint16") => (0, i128::from(u16::MAX)),
        Some("uint32") => (0, i128::from(u32::MAX)),
        Some("int32") => (i128::from(i32::MIN), i128::from(i32::MAX)),
        Some("int64") => (i128::from(i64::MIN), i128::from(i64::MAX)),
        _ => (0, i128::from(u64::MAX)),
    };
    let bound = |word: &str| schema.get(word).and_then(Value::as_i64).map(i128::from);
    Shape::Integer {
        min: bound("minimum").unwrap_or(min),
        max: bound("maximum").unwrap_or(max),
    }
}

fn object(schema: &Value, root: &Value, depth: usize) -> Shape {
    if schema.get("properties").is_some() {
        return Shape::Group(fields(schema, root, depth));
    }
    let value = schema
        .get("additionalProperties")
        .filter(|value| value.is_object());
    let by_pattern = schema
        .get("patternProperties")
        .and_then(Value::as_object)
        .and_then(|patterns| patterns.values().next());
    let keys = schema
        .get("propertyNames")
        .map(|names| read(names, root, depth + 1));
    Shape::Map {
        keys: match keys {
            Some(Shape::Choice(words)) => Some(words),
            _ => None,
        },
        value: Box::new(
            value
                .or(by_pattern)
                .map_or(Shape::Any, |value| read(value, root, depth + 1)),
        ),
    }
}

fn fields(schema: &Value, root: &Value, depth: usize) -> Vec<Field> {
    let required = |name: &str| {
        schema
            .get("required")
            .and_then(Value::as_array)
            .is_some_and(|names| names.iter().any(|known| known == name))
    };
    schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, value)| Field {
            name: name.clone(),
            shape: read(value, root, depth + 1),
            required: required(name),
        })
        .collect()
}

/// Forms that are groups of one key each, as of an enumeration whose variants hold something, as one group: which key it is says which form.
fn of_one_key(shapes: Vec<Shape>) -> Vec<Shape> {
    let alone = |shape: &Shape| matches!(shape, Shape::Group(fields) if fields.len() == 1);
    if shapes.iter().filter(|shape| alone(shape)).count() < 2 {
        return shapes;
    }
    let (groups, mut others): (Vec<Shape>, Vec<Shape>) = shapes.into_iter().partition(alone);
    let keys = groups.iter().flat_map(Shape::fields).cloned().map(|field| Field {
        required: false,
        ..field
    });
    others.push(Shape::Group(keys.collect()));
    others
}

fn alternatives(forms: &[Value], root: &Value, depth: usize) -> Shape {
    if let Some(tagged) = tagged(forms, root, depth) {
        return tagged;
    }
    let is_null = |form: &&Value| form.get("type").and_then(Value::as_str) == Some("null");
    let optional = forms.iter().any(|form| is_null(&form));
    let mut words = Vec::new();
    let mut shapes = Vec::new();
    for form in forms.iter().filter(|form| !is_null(form)) {
        match read(form, root, depth + 1) {
            Shape::Choice(more) => words.extend(more),
            other => shapes.push(other),
        }
    }
    let mut shapes = of_one_key(shapes);
    if !words.is_empty() {
        shapes.insert(0, Shape::Choice(words));
    }
    let shape = if shapes.len() == 1 {
        shapes.remove(0)
    } else {
        Shape::OneOf(shapes)
    };
    if optional {
        Shape::Optional(Box::new(shape))
    } else {
        shape
    }
}

/// Objects that each fix one property to a word of their own.
fn tagged(forms: &[Value], root: &Value, depth: usize) -> Option<Shape> {
    let fixed = |form: &Value| {
        let properties = resolve(form, root).get("properties")?.as_object()?;
        properties
            .iter()
            .find_map(|(name, value)| Some((name.clone(), value.get("const")?.as_str()?.to_owned())))
    };
    let (tag, _) = fixed(forms.first()?)?;
    let mut variants = Vec::new();
    for form in forms {
        let (name, word) = fixed(form)?;
        if name != tag {
            return None;
        }
        variants.push((word, fields(resolve(form, root), root, depth)));
    }
    Some(Shape::Tagged { tag, variants })
}
