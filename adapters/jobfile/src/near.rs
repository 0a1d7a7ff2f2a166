//! The nearest known name, for help that a typing error needs.

pub(crate) use gristmill_domain::near::nearest;

/// Names in backticks: `a`, `b` and `c`; at most twelve, then how many more.
pub(crate) fn list<'n>(names: impl IntoIterator<Item = &'n str>, last: &str) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.as_slice() {
        [] => "none".to_owned(),
        [only] => only.clone(),
        [head @ .., tail] if names.len() <= 12 => format!("{} {last} {tail}", head.join(", ")),
        many => format!("{}, … ({} more)", many[..11].join(", "), many.len() - 11),
    }
}
