//! Validators in a job: their settings, and what is wrong with them.

use gristmill_domain::validator::Settings;

use super::{Folder, HEAD};

fn job(validator: &str) -> String {
    HEAD.replace("{kind: number}", validator)
}

#[test]
fn every_kind_can_be_written_in_a_job() {
    let folder = Folder::new();
    for example in Settings::EXAMPLES {
        // JSON is YAML, and what only contradicts other sections is not asked here.
        let errors = folder.errors(job(example));
        let told = |part: &str| errors.iter().any(|(message, _)| message.contains(part));
        assert!(
            errors.is_empty() || told("needs to know each row's database") || told("nothing checks"),
            "{example}: {errors:?}"
        );
    }
}

#[test]
fn a_schema_is_read_from_its_file() {
    let folder = Folder::new();
    folder.write("invoice.json", r#"{"type": "object", "required": ["total"]}"#);
    let from_file = folder
        .load(job("{kind: json_schema, schema_file: invoice.json}"), &[])
        .unwrap();
    let written = folder
        .load(
            job("{kind: json_schema, schema: {type: object, required: [total]}}"),
            &[],
        )
        .unwrap();
    assert_eq!(from_file.job, written.job);
}

#[test]
fn what_is_wrong_is_told_at_its_place() {
    let folder = Folder::new();
    folder.write("broken.json", "{\"type\": ");
    for (validator, column, message) in [
        ("{kind: regex}", 10, "`filter.validator` has no `pattern`"),
        ("{kind: regx}", 28, "cannot be `regx`"),
        (
            "{kind: regex, pattern: '('}",
            44,
            "`filter.validator.pattern` cannot be used: unclosed group",
        ),
        (
            "{kind: regex, pattern: a, group: b}",
            54,
            "the pattern has no group named `b`",
        ),
        ("{kind: regex, patern: a}", 35, "unknown key `patern`"),
        (
            "{kind: json_schema}",
            10,
            "the validator `json_schema` has no schema",
        ),
        (
            "{kind: json_schema, schema: {type: txt}}",
            41,
            "`filter.validator.schema` cannot be used",
        ),
        (
            "{kind: json_schema, schema_file: absent.json}",
            54,
            "there is no JSON Schema",
        ),
        (
            "{kind: json_schema, schema_file: broken.json}",
            54,
            "cannot be used: it is not JSON",
        ),
        (
            "{kind: number_with_unit, unit: mgg}",
            52,
            "`mgg` is not a unit that is known here",
        ),
        (
            "{kind: number_with_unit, relative_tolerance: 2}",
            66,
            "is a share, and 2 is not between 0 and 1",
        ),
        (
            "{kind: number, unit: mg}",
            36,
            "`unit` does nothing with `kind: number`",
        ),
    ] {
        let errors = folder.errors(job(validator));
        let told = errors
            .iter()
            .any(|(found, place)| found.contains(message) && *place == Some((4, column)));
        assert!(told, "{validator}: {errors:?}");
    }
}
