//! Where in a file the keys stand that an error is about.

use crate::error::{Code, Error};
use crate::place::Place;
use crate::yaml::{Data, Key, Node};

/// What the types refuse and a schema cannot say, such as a pattern that is no regular expression.
pub(crate) fn from_serde(error: &serde_path_to_error::Error<serde_json::Error>, tree: &Node) -> Error {
    let path: Vec<String> = error
        .path()
        .iter()
        .filter_map(|segment| match segment {
            serde_path_to_error::Segment::Seq { index } => Some(index.to_string()),
            serde_path_to_error::Segment::Map { key } => Some(key.clone()),
            serde_path_to_error::Segment::Enum { .. } | serde_path_to_error::Segment::Unknown => None,
        })
        .collect();
    let path = path.join(".");
    let reason = error.inner().to_string();
    let reason = reason
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    Error::new(
        Code::Config,
        format!("`{path}` cannot be used: {reason}"),
        "correct it, or leave it out for its default",
    )
    .at(place_of(tree, &path))
}

/// Where a key path stands, or the nearest key above it.
pub(crate) fn place_of(tree: &Node, path: &str) -> Place {
    let mut node = tree;
    // The key that led to `node`; none for an item of a list, which is its own place.
    let mut key: Option<&Key> = None;
    for part in path.split('.').filter(|part| !part.is_empty()) {
        // A list of one is checked as the one value that it stands for.
        if let Data::List(items) = &node.data
            && let Some(item) = part.parse::<usize>().ok().and_then(|index| items.get(index))
        {
            (node, key) = (item, None);
            continue;
        }
        // And one value stands for a list of one.
        if part == "0" && node.get(part).is_none() && !matches!(node.data, Data::List(_)) {
            continue;
        }
        if let Data::List(items) = &node.data
            && let [only] = items.as_slice()
        {
            node = only;
        }
        match node.get(part) {
            Some((found, child)) => (key, node) = (Some(found), child),
            None => {
                return key.map_or_else(
                    || {
                        if std::ptr::eq(node, tree) {
                            Place::Whole(tree.source)
                        } else {
                            node.place()
                        }
                    },
                    Key::place,
                );
            }
        }
    }
    match (&node.data, key) {
        (Data::Map(_) | Data::List(_) | Data::Null { .. }, Some(key)) => key.place(),
        _ => node.place(),
    }
}
