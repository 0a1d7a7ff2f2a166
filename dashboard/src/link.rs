//! Addresses of pages. Filters are GET parameters, so that any number can link to its rows.

/// A run's page.
pub(crate) fn run(run: &str) -> String {
    format!("/runs/{}", encoded(run))
}

/// A page of a run: `budget`, `coverage`.
pub(crate) fn of_run(run: &str, page: &str) -> String {
    format!("/runs/{}/{page}", encoded(run))
}

/// Two runs side by side.
pub(crate) fn compare(a: &str, b: &str) -> String {
    format!("/compare?a={}&b={}", encoded(a), encoded(b))
}

/// The page that asks before an act on a run is carried out: `pause`, `resume`, `cancel`, `raise`.
pub(crate) fn act(run: &str, verb: &str) -> String {
    format!("/runs/{}/act/{verb}", encoded(run))
}

/// A run's rows with a filter: pairs of a facet and its value, such as `("reason", "wrong")`. The facets are `verdict`, `reason`, `concept`,
/// `recipe`, `round`, `teacher` and `q`.
pub(crate) fn rows(run: &str, filter: &[(&str, &str)]) -> String {
    let filter: Vec<String> = filter
        .iter()
        .map(|(facet, value)| format!("{facet}={}", encoded(value)))
        .collect();
    match filter.is_empty() {
        true => format!("/runs/{}/rows", encoded(run)),
        false => format!("/runs/{}/rows?{}", encoded(run), filter.join("&")),
    }
}

/// A text as a part of an address: all but RFC 3986's unreserved characters as `%HH`.
pub(crate) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte))
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_leave_their_parameter() {
        assert_eq!(
            rows("27d5", &[("concept", "renal & \"dosing\""), ("round", "2")]),
            "/runs/27d5/rows?concept=renal%20%26%20%22dosing%22&round=2"
        );
        assert_eq!(run("../x"), "/runs/..%2Fx");
        assert_eq!(rows("27d5", &[]), "/runs/27d5/rows");
    }
}
