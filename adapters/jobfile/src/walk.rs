//! Compares a tree with the shape of a job: every unknown key, wrong type and missing key in one go, each at its place.

use serde_json::{Map, Number, Value};

use crate::error::{Code, Error, quoted};
use crate::near::{list, nearest};
use crate::place::Place;
use crate::secret::is_secret_name;
use crate::shape::{Field, Shape};
use crate::yaml::{Data, Key, Node};

/// Walks a tree; what fits comes back as JSON for the types to be filled from, what does not is in the errors.
pub(crate) struct Walk<'s> {
    root: &'s Shape,
    /// What the errors call the whole: `the job`, `the price file`.
    whole: &'s str,
    pub(crate) errors: Vec<Error>,
}

impl<'s> Walk<'s> {
    pub(crate) fn new(root: &'s Shape, whole: &'s str) -> Self {
        Self {
            root,
            whole,
            errors: Vec::new(),
        }
    }

    /// The whole tree.
    pub(crate) fn run(&mut self, node: &Node) -> Option<Value> {
        self.value(node, self.root, &At { path: "", key: None })
    }

    fn value(&mut self, node: &Node, shape: &Shape, at: &At<'_>) -> Option<Value> {
        match (shape, &node.data) {
            (Shape::Any, _) => self.any(node, at),
            (Shape::Optional(_), Data::Null { .. }) => Some(Value::Null),
            (Shape::Optional(inner), _) => self.value(node, inner, at),
            (Shape::OneOf(forms), _) => match forms.iter().find(|form| accepts(form, &node.data)) {
                Some(form) => self.value(node, form, at),
                None => self.wrong(node, shape, at),
            },
            (Shape::Bool, Data::Bool(value)) => Some(Value::Bool(*value)),
            (Shape::Integer { min, max }, Data::Int(value)) => self.integer(node, *value, *min, *max, at),
            (Shape::Number, Data::Int(_) | Data::Float(_)) => self.number(node, at),
            (Shape::Text, Data::Text(text)) => Some(Value::String(text.clone())),
            (Shape::Choice(words), Data::Text(text)) => self.choice(node, words, text, at),
            (Shape::List(item), Data::List(items)) => self.items(items, item, at),
            // A group whose keys are all left out or commented out.
            (Shape::List(_), Data::Null { .. }) => Some(Value::Array(Vec::new())),
            (Shape::Map { keys, value }, Data::Map(entries)) => self.map(entries, keys.as_deref(), value, at),
            (Shape::Map { .. }, Data::Null { .. }) => Some(Value::Object(Map::new())),
            (Shape::Group(fields), Data::Map(entries)) => self.group(entries, fields, shape, node, at),
            (Shape::Group(fields), Data::Null { .. }) => self.group(&[], fields, shape, node, at),
            (Shape::Tagged { tag, variants }, Data::Map(entries)) => {
                self.tagged(entries, tag, variants, shape, node, at)
            }
            _ => self.wrong(node, shape, at),
        }
    }

    fn any(&mut self, node: &Node, at: &At<'_>) -> Option<Value> {
        match &node.data {
            Data::Null { .. } => Some(Value::Null),
            Data::Bool(value) => Some(Value::Bool(*value)),
            Data::Text(text) => Some(Value::String(text.clone())),
            Data::Int(_) | Data::Float(_) => self.number(node, at),
            Data::List(items) => self.items(items, &Shape::Any, at),
            Data::Map(entries) => self.map(entries, None, &Shape::Any, at),
        }
    }

    fn items(&mut self, items: &[Node], shape: &Shape, at: &At<'_>) -> Option<Value> {
        let values = items.iter().enumerate().map(|(i, item)| {
            let path = join(at.path, &i.to_string());
            self.value(
                item,
                shape,
                &At {
                    path: &path,
                    key: at.key,
                },
            )
        });
        values
            .collect::<Vec<_>>()
            .into_iter()
            .collect::<Option<Vec<_>>>()
            .map(Value::Array)
    }

    fn map(
        &mut self,
        entries: &[(Key, Node)],
        keys: Option<&[String]>,
        shape: &Shape,
        at: &At<'_>,
    ) -> Option<Value> {
        let mut out = Map::new();
        for (key, node) in entries {
            if let Some(words) = keys
                && !words.contains(&key.name)
            {
                let known: Vec<&str> = words.iter().map(String::as_str).collect();
                self.unknown(key, &known, at);
                continue;
            }
            let path = join(at.path, &key.name);
            if let Some(value) = self.value(
                node,
                shape,
                &At {
                    path: &path,
                    key: Some(key),
                },
            ) {
                out.insert(key.name.clone(), value);
            }
        }
        Some(Value::Object(out))
    }

    fn group(
        &mut self,
        entries: &[(Key, Node)],
        fields: &[Field],
        shape: &Shape,
        node: &Node,
        at: &At<'_>,
    ) -> Option<Value> {
        let mut out = Map::new();
        let known: Vec<&str> = shape.fields().iter().map(|field| field.name.as_str()).collect();
        // A key that is missing because it is misspelled has been told already.
        let mut told = false;
        for (key, value) in entries {
            let Some(field) = fields.iter().find(|field| field.name == key.name) else {
                self.unknown(key, &known, at);
                told = true;
                continue;
            };
            let path = join(at.path, &key.name);
            let here = At {
                path: &path,
                key: Some(key),
            };
            if let Data::Null { written } = value.data {
                self.nothing(field, written, &here, &mut out);
            } else if let Some(value) = self.value(value, &field.shape, &here) {
                out.insert(key.name.clone(), value);
            }
        }
        for field in fields.iter().filter(|field| field.required && !told) {
            if !entries.iter().any(|(key, _)| key.name == field.name) {
                let message = match at.path {
                    "" => format!("{} has no `{}`", self.whole, field.name),
                    path => format!("`{path}` has no `{}`", field.name),
                };
                let place = at.key.map_or_else(|| Place::Whole(node.source), Key::place);
                let help = format!("add `{}`: {}", field.name, field.shape.words());
                self.errors
                    .push(Error::new(Code::Config, message, help).at(place));
            }
        }
        Some(Value::Object(out))
    }

    /// A key without a value: its default, where it has one.
    fn nothing(&mut self, field: &Field, written: bool, at: &At<'_>, out: &mut Map<String, Value>) {
        let section = matches!(field.shape.present(), Shape::Group(_));
        let help = match &field.shape {
            // `judge:` with nothing under it is no judge, and hardly what was meant.
            Shape::Optional(_) if section && !written => format!(
                "write `{}: {{}}` for its defaults, or take the line out",
                field.name
            ),
            shape if field.required && !matches!(shape, Shape::Group(_)) => format!("give {}", shape.words()),
            shape if field.required => {
                let empty = Node::empty_map(at.key.map_or(crate::place::JOB, |key| key.source));
                if let Some(value) = self.value(&empty, shape, at) {
                    out.insert(field.name.clone(), value);
                }
                return;
            }
            _ => return,
        };
        let error = Error::new(Code::Config, format!("`{}` is empty", at.path), help);
        self.push(error, at.key.map(Key::place));
    }

    fn tagged(
        &mut self,
        entries: &[(Key, Node)],
        tag: &str,
        variants: &[(String, Vec<Field>)],
        shape: &Shape,
        node: &Node,
        at: &At<'_>,
    ) -> Option<Value> {
        let words: Vec<String> = variants.iter().map(|(word, _)| word.clone()).collect();
        let Some((key, value)) = entries.iter().find(|(key, _)| key.name == tag) else {
            let known: Vec<&str> = shape.fields().iter().map(|field| field.name.as_str()).collect();
            let before = self.errors.len();
            for (key, _) in entries
                .iter()
                .filter(|(key, _)| !known.contains(&key.name.as_str()))
            {
                self.unknown(key, &known, at);
            }
            if self.errors.len() == before {
                let help = format!("add `{tag}`: {}", list(words.iter().map(String::as_str), "or"));
                let place = at.key.map_or_else(|| node.place(), Key::place);
                self.push(
                    Error::new(Code::Config, format!("`{}` has no `{tag}`", at.path), help),
                    Some(place),
                );
            }
            return None;
        };
        let path = join(at.path, tag);
        let word = match self.value(
            value,
            &Shape::Choice(words),
            &At {
                path: &path,
                key: Some(key),
            },
        )? {
            Value::String(word) => word,
            _ => return None,
        };
        let (_, fields) = variants.iter().find(|(name, _)| *name == word)?;
        for (key, _) in entries
            .iter()
            .filter(|(key, _)| !fields.iter().any(|field| field.name == key.name))
        {
            let owners = variants
                .iter()
                .filter(|(_, fields)| fields.iter().any(|field| field.name == key.name));
            if let Some((owner, _)) = owners.into_iter().next() {
                let error = Error::new(
                    Code::Config,
                    format!("`{}` does nothing with `{tag}: {word}`", key.name),
                    format!("it belongs to `{tag}: {owner}`"),
                );
                self.push(error, Some(key.place()));
            } else {
                let known: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
                self.unknown(key, &known, at);
            }
        }
        let known: Vec<(Key, Node)> = entries
            .iter()
            .filter(|(key, _)| fields.iter().any(|field| field.name == key.name))
            .cloned()
            .collect();
        self.group(&known, fields, &Shape::Group(fields.clone()), node, at)
    }

    fn unknown(&mut self, key: &Key, known: &[&str], at: &At<'_>) {
        let help = unknown_help(self.root, &key.name, known, at.path);
        self.push(
            Error::new(Code::Config, format!("unknown key {}", quoted(&key.name)), help),
            Some(key.place()),
        );
    }

    fn integer(&mut self, node: &Node, value: i128, min: i128, max: i128, at: &At<'_>) -> Option<Value> {
        let fits = (min..=max).contains(&value);
        let number = u64::try_from(value)
            .map(Number::from)
            .or_else(|_| i64::try_from(value).map(Number::from));
        match number {
            Ok(number) if fits => Some(Value::Number(number)),
            _ => {
                let error = Error::new(
                    Code::Config,
                    format!("`{}` is {value}", at.path),
                    format!("give a whole number from {min} to {max}"),
                );
                self.push(error, Some(at.value_or_key(node)));
                None
            }
        }
    }

    fn number(&mut self, node: &Node, at: &At<'_>) -> Option<Value> {
        let number = match node.data {
            Data::Int(value) => match i64::try_from(value) {
                Ok(value) => Some(Number::from(value)),
                Err(_) => Number::from_f64(value as f64),
            },
            Data::Float(value) => Number::from_f64(value),
            _ => None,
        };
        if number.is_none() {
            let error = Error::new(
                Code::Config,
                format!("`{}` is not a finite number", at.path),
                "give a number such as 0.5",
            );
            self.push(error, Some(at.value_or_key(node)));
        }
        number.map(Value::Number)
    }

    fn choice(&mut self, node: &Node, words: &[String], text: &str, at: &At<'_>) -> Option<Value> {
        if words.iter().any(|word| word == text) {
            return Some(Value::String(text.to_owned()));
        }
        let known = || words.iter().map(String::as_str);
        let help = match nearest(text, known()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("give {}", list(known(), "or")),
        };
        let error = Error::new(
            Code::Config,
            format!("`{}` cannot be {}", at.path, quoted(text)),
            help,
        );
        self.push(error, Some(at.value_or_key(node)));
        None
    }

    fn wrong(&mut self, node: &Node, shape: &Shape, at: &At<'_>) -> Option<Value> {
        let subject = if at.path.is_empty() {
            self.whole.to_owned()
        } else {
            format!("`{}`", at.path)
        };
        let help = way_out(&node.data, shape, at.path);
        let error = Error::new(
            Code::Config,
            format!("{subject} must be {}, not {}", shape.words(), node.words()),
            help,
        );
        self.push(error, Some(at.value_or_key(node)));
        None
    }

    fn push(&mut self, error: Error, place: Option<Place>) {
        self.errors.push(match place {
            Some(place) => error.at(place),
            None => error,
        });
    }
}

/// Where the walk is: the path so far and the key that led here.
struct At<'a> {
    path: &'a str,
    key: Option<&'a Key>,
}

impl At<'_> {
    /// The value where one is written in one piece, its key otherwise.
    fn value_or_key(&self, node: &Node) -> Place {
        let piece = !matches!(node.data, Data::Null { .. } | Data::Map(_) | Data::List(_));
        match self.key {
            Some(key) if !piece || node.span.is_empty() => key.place(),
            _ => node.place(),
        }
    }
}

/// The nearest key of the place, else where the key does belong, else what is known here.
pub(crate) fn unknown_help(root: &Shape, name: &str, known: &[&str], path: &str) -> String {
    if let Some(near) = nearest(name, known.iter().copied()) {
        return format!("did you mean `{near}`?");
    }
    if is_secret_name(name) && known.contains(&"key_env") {
        return "keys do not stand in a job: name an environment variable in `key_env`, or a file in `key_file`".to_owned();
    }
    let homes = root.homes_of(name);
    if !homes.is_empty() {
        let homes: Vec<&str> = homes
            .iter()
            .map(|home| if home.is_empty() { "top" } else { home.as_str() })
            .collect();
        return match homes.as_slice() {
            ["top"] => format!("`{name}` is a section of its own: take the indentation away"),
            many => format!("`{name}` belongs to {}", list(many.iter().copied(), "or")),
        };
    }
    match path {
        "" => format!("the sections are {}", list(known.iter().copied(), "and")),
        path => format!("`{path}` has {}", list(known.iter().copied(), "and")),
    }
}

pub(crate) fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn accepts(shape: &Shape, data: &Data) -> bool {
    match (shape, data) {
        (Shape::Any, _)
        | (Shape::Optional(_), Data::Null { .. })
        | (Shape::Bool, Data::Bool(_))
        | (Shape::Integer { .. }, Data::Int(_))
        | (Shape::Number, Data::Int(_) | Data::Float(_))
        | (Shape::Text | Shape::Choice(_), Data::Text(_))
        | (Shape::List(_), Data::List(_))
        | (Shape::Map { .. } | Shape::Group(_) | Shape::Tagged { .. }, Data::Map(_)) => true,
        (Shape::Optional(inner), data) => accepts(inner, data),
        (Shape::OneOf(forms), data) => forms.iter().any(|form| accepts(form, data)),
        _ => false,
    }
}

/// What to write instead, where that can be told from what was found.
fn way_out(data: &Data, shape: &Shape, path: &str) -> String {
    let name = path.rsplit('.').next().unwrap_or(path);
    match (shape.present(), data) {
        (Shape::OneOf(forms), data)
            if forms.iter().any(|form| matches!(form, Shape::Text)) && is_word(data) =>
        {
            quote(data)
        }
        (Shape::Text | Shape::Choice(_), data) if is_word(data) => quote(data),
        (Shape::Bool, Data::Text(text)) => match text.to_lowercase().as_str() {
            "yes" | "y" | "on" => "write `true`".into(),
            "no" | "n" | "off" => "write `false`".into(),
            _ => "write `true` or `false`".into(),
        },
        (Shape::Integer { .. }, Data::Float(value)) if value.fract() == 0.0 && value.abs() < 1.0e15 => {
            format!("write `{value:.0}`")
        }
        (Shape::Integer { .. } | Shape::Number, Data::Text(text)) => {
            let digits: String = text
                .chars()
                .filter(|c| !matches!(c, '_' | ',' | ' ' | '$' | '\''))
                .collect();
            match digits.parse::<f64>() {
                Ok(value) if value.is_finite() => format!("write `{digits}`"),
                _ => format!("give {}", shape.words()),
            }
        }
        (Shape::Tagged { tag, variants }, Data::Text(text))
            if variants.iter().any(|(word, _)| word == text) =>
        {
            format!("write `{name}: {{{tag}: {text}}}`")
        }
        (Shape::Tagged { tag, variants }, _) => {
            format!(
                "write `{name}: {{{tag}: …}}` with {}",
                list(variants.iter().map(|(word, _)| word.as_str()), "or")
            )
        }
        (Shape::List(_), _) if name.is_empty() => "write a list: each item on a line, after `- `".to_owned(),
        (Shape::List(_), _) => format!("write `{name}: [first, second]`"),
        (Shape::Group(_) | Shape::OneOf(_), _) if !shape.fields().is_empty() => {
            format!(
                "its keys are {}",
                list(shape.fields().iter().map(|field| field.name.as_str()), "and")
            )
        }
        _ => format!("give {}", shape.words()),
    }
}

fn is_word(data: &Data) -> bool {
    matches!(data, Data::Bool(_) | Data::Int(_) | Data::Float(_))
}

fn quote(data: &Data) -> String {
    match data {
        Data::Bool(value) => format!("put it in quotes: \"{value}\""),
        Data::Int(value) => format!("put it in quotes: \"{value}\""),
        Data::Float(value) => format!("put it in quotes: \"{value}\""),
        _ => String::new(),
    }
}
