//! The YAML parser's terms, in words for someone who has written a job and not a parser.

/// What is wrong and the way out, from the parser's message and the line it stopped at.
pub(crate) fn words(info: &str, line: &str) -> (String, &'static str) {
    let has = |part: &str| info.contains(part);
    let (message, help) = if has("flow mapping") || has("flow sequence") || has("flow construct") {
        (
            "a `{` or `[` is not closed",
            "close it, and put a comma between its parts",
        )
    } else if has("quoted scalar, found unexpected end")
        || has("invalid trailing content after double")
        || has("invalid indentation in quoted")
    {
        ("a quote is not closed", "close it where the text ends")
    } else if has("escape") || has("hexadecimal") {
        (
            "an unknown escape in a text with double quotes",
            "write the text in single quotes, or double the backslash",
        )
    } else if has("mapping values are not allowed") || has("illegal placement of ':'") {
        ("a second `:` in one line", "put a text that holds `: ` in quotes")
    } else if has("simple key expect") {
        (
            "a line without `:`",
            "write `key: value`; put a text of several lines in quotes",
        )
    } else if has("block mapping, did not find expected key") || has("invalid indentation") {
        (
            "the indentation fits no line above",
            "indent the keys of one group by the same number of spaces",
        )
    } else if has("block collection") || has("block sequence entries") || has("only valid inside a block") {
        (
            "a `-` does not fit the lines above",
            "indent the items of one list by the same number of spaces",
        )
    } else if has("tab") {
        ("a tab where spaces belong", "YAML is indented with spaces only")
    } else if has("unknown anchor") {
        (
            "an alias to nothing",
            "quote a text that begins with `*`, or name a value with `&` first",
        )
    } else if has("cannot start any token") || has("unexpected character") || has("unprintable") {
        ("a character that cannot stand here", "put the text in quotes")
    } else if has("recursion limit") {
        (
            "nested deeper than 64 levels",
            "no setting is that deep: check the brackets",
        )
    } else if has("directive") || has("document") || has("handle") {
        return (
            format!("broken YAML: {info}"),
            "a job is one plain document: `%` lines, `---` and tags are not needed",
        );
    } else if line.trim_start().starts_with(['@', '`', '%', '*', '&', '!']) {
        ("a text that begins with a sign of YAML", "put it in quotes")
    } else {
        return (
            format!("broken YAML: {info}"),
            "check the indentation and the quotes of this line",
        );
    };
    (message.to_owned(), help)
}
