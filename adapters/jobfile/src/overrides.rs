//! `--set key.path=value`: changes a tree before it is compared with the shape of a job. Where settings of several files are given, each has its
//! own option.

use crate::error::{Code, Error, quoted};
use crate::near::list;
use crate::place::{Kind, Place, Source, SourceId, Sources};
use crate::shape::Shape;
use crate::walk::{join, unknown_help};
use crate::yaml::{Data, Key, Node, parse};

/// Applies one override. The value is YAML on one line; an empty one takes the key out, so that its default holds.
///
/// # Errors
/// A missing `=`, a value that is not YAML, an unknown path, a list item that is not there.
pub(crate) fn apply(
    root: &mut Node,
    shape: &Shape,
    (option, text): (&'static str, &str),
    sources: &mut Sources,
) -> Result<(), Error> {
    let source = sources.add(Source {
        name: text.to_owned(),
        text: text.to_owned(),
        kind: Kind::Override(option),
    });
    let whole = |error: Error| Error {
        place: Some(Place::Whole(source)),
        other: None,
        ..error
    };
    let Some((path, value)) = text.split_once('=') else {
        return Err(whole(Error::new(
            Code::Config,
            "an override without `=`",
            format!("write `{option} key.path=value`"),
        )));
    };
    let path = path.trim();
    if path.is_empty() || path.split('.').any(str::is_empty) {
        return Err(whole(Error::new(
            Code::Config,
            format!("{} is no key path", quoted(path)),
            format!("write `{option} key.path=value`"),
        )));
    }
    let mut value = parse(source, value).map_err(whole)?;
    relocate(&mut value, source);
    if matches!(root.data, Data::Null { .. }) {
        root.data = Data::Map(Vec::new());
    }
    let parts: Vec<&str> = path.split('.').collect();
    let step = Setter {
        root: shape,
        source,
        option,
    };
    step.set(root, shape, "", &parts, value).map_err(whole)
}

/// The value's own offsets mean nothing to a reader: an override is named as a whole.
fn relocate(node: &mut Node, source: SourceId) {
    node.source = source;
    node.span = 0..0;
    match &mut node.data {
        Data::List(items) => items.iter_mut().for_each(|item| relocate(item, source)),
        Data::Map(entries) => {
            for (key, value) in entries {
                key.span = 0..0;
                relocate(value, source);
            }
        }
        _ => {}
    }
}

struct Setter<'s> {
    root: &'s Shape,
    source: SourceId,
    option: &'static str,
}

impl Setter<'_> {
    fn set(
        &self,
        node: &mut Node,
        shape: &Shape,
        path: &str,
        parts: &[&str],
        value: Node,
    ) -> Result<(), Error> {
        let Some((part, rest)) = parts.split_first() else {
            *node = value;
            return Ok(());
        };
        let shape = shape.present();
        if let Ok(index) = part.parse::<usize>()
            && let Some(item) = item_shape(shape)
        {
            return self.set_item(node, (item, index), path, rest, value);
        }
        if let Data::List(items) = &mut node.data {
            return match (items.as_mut_slice(), item_shape(shape)) {
                ([only], Some(item)) => self.set(only, item, path, parts, value),
                (many, _) => Err(fail(
                    format!("`{path}` is a list of {}", many.len()),
                    format!(
                        "say which one, counted from 0: `{} {path}.0.{}=…`",
                        self.option,
                        parts.join(".")
                    ),
                )),
            };
        }
        let inner = self.shape_of(shape, part, path)?;
        let below = join(path, part);
        match &mut node.data {
            Data::Null { .. } => *node = Node::empty_map(self.source),
            Data::Map(_) => {}
            _ => {
                return Err(fail(
                    format!("`{path}` is {}, so it has no `{part}`", node.words()),
                    format!("set `{path}` as a whole: `{} '{path}={{…}}'`", self.option),
                ));
            }
        }
        let Data::Map(entries) = &mut node.data else {
            return Ok(());
        };
        let at = entries.iter().position(|(key, _)| key.name == *part);
        if rest.is_empty() && matches!(value.data, Data::Null { .. }) {
            entries.retain(|(key, _)| key.name != *part);
            return Ok(());
        }
        match at.and_then(|at| entries.get_mut(at)) {
            Some((key, child)) => {
                if rest.is_empty() {
                    // What is said about the key is now about the override.
                    *key = Key {
                        name: key.name.clone(),
                        source: self.source,
                        span: 0..0,
                    };
                }
                self.set(child, &inner, &below, rest, value)
            }
            None => {
                let mut child = Node::empty_map(self.source);
                self.set(&mut child, &inner, &below, rest, value)?;
                entries.push((
                    Key {
                        name: (*part).to_owned(),
                        source: self.source,
                        span: 0..0,
                    },
                    child,
                ));
                Ok(())
            }
        }
    }

    fn set_item(
        &self,
        node: &mut Node,
        (shape, index): (&Shape, usize),
        path: &str,
        rest: &[&str],
        value: Node,
    ) -> Result<(), Error> {
        let path_of_item = join(path, &index.to_string());
        match &mut node.data {
            Data::List(items) => {
                let count = items.len();
                match items.get_mut(index) {
                    Some(item) => self.set(item, shape, &path_of_item, rest, value),
                    None => Err(fail(
                        format!("`{path}` has no item {index}"),
                        match count {
                            0 => "it is empty: set it as a whole".to_owned(),
                            n => format!("its {n} items are counted from 0 to {}", n - 1),
                        },
                    )),
                }
            }
            // One value stands for a list of one.
            _ if index == 0 => self.set(node, shape, path, rest, value),
            _ => Err(fail(
                format!("`{path}` has no item {index}"),
                "it is a single value: item 0, or no number at all",
            )),
        }
    }

    fn shape_of(&self, shape: &Shape, part: &str, path: &str) -> Result<Shape, Error> {
        match shape {
            Shape::Any => Ok(Shape::Any),
            Shape::Map { keys: None, value } => Ok((**value).clone()),
            Shape::Map {
                keys: Some(words),
                value,
            } if words.iter().any(|word| word == part) => Ok((**value).clone()),
            Shape::Map {
                keys: Some(words), ..
            } => Err(self.unknown(part, words.iter().map(String::as_str), path)),
            Shape::Tagged { tag, variants } if part == tag => Ok(Shape::Choice(
                variants.iter().map(|(word, _)| word.clone()).collect(),
            )),
            _ => {
                let fields = shape.fields();
                match fields.iter().find(|field| field.name == part) {
                    Some(field) => Ok(field.shape.clone()),
                    None if fields.is_empty() => Err(fail(
                        format!("`{path}` holds {}, so it has no `{part}`", shape.words()),
                        format!("write `{} {path}=value`", self.option),
                    )),
                    None => Err(self.unknown(part, fields.iter().map(|field| field.name.as_str()), path)),
                }
            }
        }
    }

    fn unknown<'n>(&self, part: &str, known: impl Iterator<Item = &'n str>, path: &str) -> Error {
        let known: Vec<&str> = known.collect();
        let help = match crate::near::nearest(part, known.iter().copied()) {
            Some(near) => format!("did you mean `{}`?", join(path, near)),
            None if known.is_empty() => list([], "and"),
            None => unknown_help(self.root, part, &known, path),
        };
        fail(format!("unknown key {}", quoted(&join(path, part))), help)
    }
}

/// What a list here holds; for one value or a list of them, that value.
fn item_shape(shape: &Shape) -> Option<&Shape> {
    match shape {
        Shape::List(item) => Some(item),
        Shape::OneOf(forms) => forms.iter().find_map(item_shape),
        Shape::Optional(inner) => item_shape(inner),
        _ => None,
    }
}

fn fail(message: String, help: impl Into<String>) -> Error {
    Error::new(Code::Config, message, help)
}
