//! Compiles the protobuf definitions in pure Rust.

use prost::Message;

/// Messages with the members of a type that is stored as JSON: serde carries values from one to the other (`src/mirror.rs`).
const MIRRORS: [&str; 5] = ["Start", "Job", "Trace", "Amount", "Limit"];
/// Those of them that stand for the value of their only field.
const TRANSPARENT: [&str; 16] = [
    "Job.Validator",
    "Trace",
    "Trace.Second",
    "Trace.Output",
    "Trace.Fields",
    "Trace.Vectors",
    "Trace.Likelihoods",
    "Trace.Vector",
    "Trace.Value",
    "Trace.Texts",
    "Trace.Choice",
    "Trace.OptionalAnswer",
    "Trace.Turns",
    "Trace.Tools",
    "Trace.Records",
    "Trace.Record",
];
/// Those whose stored form is another, by the type that has it.
const CONVERTED: [(&str, &str); 3] = [
    ("Job.ChosenRecipe", "crate::mirror::Chosen"),
    ("Trace.Votes", "(u32, u32)"),
    ("Trace.StageCost", "crate::mirror::StageCost"),
];
/// What serde is told of single fields, with the paths of the compiler: those of a oneof's fields name the oneof.
const FIELDS: [(&str, &str); 16] = [
    ("Start.Recipe.file", r#"with = "crate::mirror::document""#),
    ("Job.Teacher.body", r#"with = "crate::mirror::documents""#),
    ("Job.EvaluatedModel.body", r#"with = "crate::mirror::documents""#),
    ("Job.Judge.body", r#"with = "crate::mirror::documents""#),
    (
        "Job.Validator.JsonSchema.schema",
        r#"with = "crate::mirror::optional_document", skip_serializing_if = "Option::is_none""#,
    ),
    ("Job.Validator.JsonSchema.compare", SKIPPED),
    ("Job.Validator.Regex.compare", SKIPPED),
    ("Job.Budget.at_risk", SKIPPED),
    ("Job.Teacher.lineage_depth", SKIPPED),
    ("Job.Anchor.max_depth", SKIPPED),
    ("Trace.Row.form", SKIPPED),
    ("Trace.ToolCall.arguments", r#"with = "crate::mirror::document""#),
    ("Trace.Tool.parameters", r#"with = "crate::mirror::document""#),
    ("Trace.Step.stage", r#"with = "crate::mirror::stage""#),
    ("Trace.Task.brought.report", r#"rename = "Ok""#),
    ("Trace.Task.brought.failure", r#"rename = "Err""#),
];
/// What is left out of a job file has its default, and is no `null`.
const SKIPPED: &str = r#"skip_serializing_if = "Option::is_none""#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=gristmill");
    let files = ["amount", "job", "task", "trace", "coordinator"];
    let descriptors = protox::compile(files.map(|file| format!("gristmill/v1/{file}.proto")), ["."])?;
    let described = std::path::Path::new(&std::env::var("OUT_DIR")?).join("gristmill.v1.bin");
    std::fs::write(described, descriptors.encode_to_vec())?;
    // Without the service, only its messages are generated: a run of one machine stores some of them.
    let service = std::env::var_os("CARGO_FEATURE_SERVICE").is_some();
    let mut builder = tonic_prost_build::configure()
        .build_client(service)
        .build_server(service);
    let mut messages = Vec::new();
    for message in descriptors.file.iter().flat_map(|file| &file.message_type) {
        if MIRRORS.contains(&message.name()) {
            collect(message, "", &mut messages);
        }
    }
    for name in messages {
        let converted = CONVERTED.iter().find(|(of, _)| *of == name);
        let told = match converted {
            Some((_, stored)) => format!(r#"from = "{stored}", into = "{stored}""#),
            None if TRANSPARENT.contains(&name.as_str()) => "transparent".to_owned(),
            None => "default, deny_unknown_fields".to_owned(),
        };
        // A path that begins with a dot would hold for the messages inside, too.
        builder = builder.message_attribute(format!("v1.{name}"), format!("#[serde({told})]"));
    }
    for root in MIRRORS {
        builder = builder.type_attribute(
            format!(".gristmill.v1.{root}"),
            "#[derive(::serde::Serialize, ::serde::Deserialize)]",
        );
    }
    for (oneof, told) in [
        ("Job.Validator.kind", r#"tag = "kind", "#),
        ("Trace.trace", ""),
        ("Trace.Second.second", ""),
        ("Trace.Output.output", ""),
        ("Trace.Value.value", ""),
        ("Trace.Record.record", ""),
        ("Trace.Task.brought", ""),
    ] {
        let told = format!(r#"#[serde({told}rename_all = "snake_case")]"#);
        builder = builder.enum_attribute(format!("v1.{oneof}"), told);
    }
    for (field, told) in FIELDS {
        builder = builder.field_attribute(format!("v1.{field}"), format!("#[serde({told})]"));
    }
    builder.compile_fds(descriptors)?;
    Ok(())
}

/// The names of a message and of those inside it, but for the entries of maps.
fn collect(message: &prost_types::DescriptorProto, outer: &str, names: &mut Vec<String>) {
    let is_entry = message
        .options
        .as_ref()
        .is_some_and(|options| options.map_entry());
    if is_entry {
        return;
    }
    let name = if outer.is_empty() {
        message.name().to_owned()
    } else {
        format!("{outer}.{}", message.name())
    };
    message
        .nested_type
        .iter()
        .for_each(|inner| collect(inner, &name, names));
    names.push(name);
}
