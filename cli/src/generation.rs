//! `gristmill generation`: the training sets of a line of students.

use std::path::{Path, PathBuf};

use gristmill_dataset::RowList;
use gristmill_datasets::Task;
use gristmill_domain::words::{many, thousands};
use gristmill_lineage::{Additions, Checked, Error, Generation, LeakOptions, Lineage, Quarantining, Rule};
use serde_json::{Value, json};

use crate::args::{
    AddArgs, CheckArgs, GenerationArgs, GenerationVerb, LeakArgs, OutputStyle, QuarantineArgs,
};
use crate::data::carry_out;
use crate::failure::Failure;
use crate::print;
use crate::view::View;

/// Does something with a lineage.
pub(crate) async fn generation(args: GenerationArgs, view: View, output: OutputStyle) -> Result<(), Failure> {
    match args.verb {
        GenerationVerb::Add(args) => add(args, view, output).await,
        GenerationVerb::List { lineage } => {
            let listed = work(view, move |_| list(&lineage)).await?;
            print::either(output, &listed.0, &listed.1);
            Ok(())
        }
        GenerationVerb::Show { lineage, number } => {
            let shown = work(view, move |_| {
                let lineage = Lineage::open(&lineage)?;
                Ok((lineage.generation(number)?, lineage))
            });
            let (generation, lineage) = shown.await?;
            print::either(
                output,
                &described(&generation, &lineage),
                &text(&generation, &lineage),
            );
            Ok(())
        }
        GenerationVerb::Check(args) => check(args, view, output).await,
        GenerationVerb::Quarantine(args) => quarantine(args, view, output).await,
    }
}

async fn add(args: AddArgs, view: View, output: OutputStyle) -> Result<(), Failure> {
    let folder = args.lineage.clone();
    let made = work(view.clone(), move |task| {
        let additions = Additions {
            datasets: args.datasets,
            replace: args.replace,
            quarantine: rules(&args.quarantine)?,
            cause: args.cause,
            max_synthetic_share: args.max_synthetic_share,
            max_depth: args.max_depth,
            seed: args.seed,
            leaks: leaks(args.leaks),
        };
        Lineage::add(&args.lineage, &additions, task)
    });
    tell(made.await?, &folder, &view, output)
}

async fn quarantine(args: QuarantineArgs, view: View, output: OutputStyle) -> Result<(), Failure> {
    let folder = args.lineage.clone();
    let made = work(view.clone(), move |task| {
        let mut named = rules(&args.rules)?;
        if let Some(file) = &args.rows {
            named.push(Rule::Listed(RowList::read(file)?));
        }
        let quarantining = Quarantining {
            rules: named,
            cause: args.cause,
        };
        Lineage::quarantine(&args.lineage, &quarantining, task)
    });
    tell(made.await?, &folder, &view, output)
}

/// Makes the next generation of a loop's lineage from datasets, and warns of what people should know, once: not of what the generation before
/// was like as well.
#[cfg(feature = "trainer")]
pub(crate) async fn added(folder: PathBuf, additions: Additions, view: View) -> Result<Generation, Failure> {
    let made = work(view.clone(), move |task| {
        let made = Lineage::add(&folder, &additions, task)?;
        let before = match &made.parent {
            Some(parent) => Lineage::open(&folder)?.generation(Some(parent.number))?.warnings,
            None => Vec::new(),
        };
        Ok((made, before))
    });
    let (made, before) = made.await?;
    for warning in made.warnings.iter().filter(|warning| !before.contains(warning)) {
        view.warn(warning);
    }
    Ok(made)
}

/// Checks one generation, the newest where none is named, for the gate of a student that was trained on it.
pub(crate) async fn checked(
    lineage: PathBuf,
    number: Option<u32>,
    options: &LeakOptions,
    view: View,
) -> Result<Checked, Failure> {
    let options = options.clone();
    let checked = work(view, move |task| {
        let lineage = Lineage::open(&lineage)?;
        let number = lineage.entry(number)?.number;
        lineage.checked(number, &options, task)
    });
    checked.await
}

async fn check(args: CheckArgs, view: View, output: OutputStyle) -> Result<(), Failure> {
    let options = leaks(args.leaks);
    let checked = work(view, move |task| {
        let lineage = Lineage::open(&args.lineage)?;
        let numbers: Vec<u32> = match args.number {
            Some(number) => vec![number],
            None => lineage
                .file()
                .generations
                .iter()
                .map(|entry| entry.number)
                .collect(),
        };
        numbers
            .into_iter()
            .map(|number| lineage.checked(number, &options, task))
            .collect::<Result<Vec<_>, _>>()
    });
    let checked = checked.await?;
    for one in &checked {
        let mut value = serde_json::to_value(one).map_err(|error| Failure::Other(error.into()))?;
        value["whole"] = one.is_whole().into();
        print::either(output, &value, &checked_text(one));
    }
    let broken: Vec<String> = checked
        .iter()
        .filter(|one| !one.is_whole())
        .map(|one| one.generation.to_string())
        .collect();
    match broken.is_empty() {
        true => Ok(()),
        false => Err(Failure::Input(anyhow::anyhow!(
            "not as it was made: generation {}; do not train on it, and put back what was written",
            broken.join(", ")
        ))),
    }
}

/// Does work that blocks, until it is done or a signal comes.
pub(crate) async fn work<T: Send + 'static>(
    view: View,
    work: impl FnOnce(&Task) -> Result<T, Error> + Send + 'static,
) -> Result<T, Failure> {
    let done = carry_out(view, move |task| match work(task) {
        // What stops it is told apart by what it is.
        Err(Error::Compare(error)) => Err(error),
        done => Ok(done),
    });
    done.await?.map_err(|error| match error {
        Error::Busy(_) | Error::Io { .. } => Failure::Other(error.into()),
        Error::Dataset(_)
        | Error::Unusable { .. }
        | Error::Leaks { .. }
        | Error::Rule { .. }
        | Error::Damaged { .. }
        | Error::Compare(_) => Failure::Input(error.into()),
    })
}

fn rules(texts: &[String]) -> Result<Vec<Rule>, Error> {
    texts.iter().map(|text| Rule::read(text)).collect()
}

pub(crate) fn leaks(args: LeakArgs) -> LeakOptions {
    LeakOptions {
        ngram: args.ngram,
        coverage: args.coverage,
        embed: Some(args.embed).filter(|embed| embed != "off"),
        cosine: args.cosine,
    }
}

/// Says what was made, and warns of what people should know.
fn tell(generation: Generation, folder: &Path, view: &View, output: OutputStyle) -> Result<(), Failure> {
    let lineage = Lineage::open(folder).map_err(|error| Failure::Other(error.into()))?;
    for warning in &generation.warnings {
        view.warn(warning);
    }
    print::either(
        output,
        &described(&generation, &lineage),
        &text(&generation, &lineage),
    );
    Ok(())
}

fn described(generation: &Generation, lineage: &Lineage) -> Value {
    // A struct of numbers and texts is always JSON.
    let mut value = serde_json::to_value(generation).unwrap_or_default();
    value["folder"] = json!(lineage.dataset(generation.number));
    value["rows"] = generation.rows().into();
    value
}

fn text(generation: &Generation, lineage: &Lineage) -> String {
    let (anchor, synthetic) = (&generation.anchor, &generation.synthetic);
    let of = match &generation.parent {
        Some(parent) => format!("{} on generation {}", generation.made, parent.number),
        None => generation.made.to_string(),
    };
    let mut lines = vec![
        format!("generation {} ({of}), {}", generation.number, generation.hash),
        format!(
            "real       {} ({} new, {} carried over), {} with repetitions",
            thousands(anchor.rows),
            thousands(anchor.added),
            thousands(anchor.carried),
            thousands(anchor.with_repeats)
        ),
        format!(
            "synthetic  {}: {:.1} % under a ceiling of {:.1} %, with room for {} more",
            thousands(synthetic.rows),
            100.0 * synthetic.share,
            100.0 * generation.ceiling.max_synthetic_share,
            thousands(generation.ceiling.room)
        ),
    ];
    for (entered, rows) in &synthetic.by_generation {
        lines.push(format!(
            "           {} from generation {entered}",
            thousands(*rows)
        ));
    }
    for made in &synthetic.by_teacher {
        lines.push(format!(
            "           {} by {} ({})",
            thousands(made.rows),
            made.teacher,
            made.version
        ));
    }
    lines.push(format!(
        "held out   {} validation and {} test rows, locked",
        thousands(generation.validation),
        thousands(generation.test)
    ));
    lines.push(format!("depth      {}", generation.depth));
    if generation.ceiling.left_out > 0 {
        let by_concept = generation.ceiling.by_concept.iter();
        let by_concept: Vec<String> = by_concept
            .map(|(concept, rows)| match concept.as_str() {
                "" => format!("{} without a concept", thousands(*rows)),
                concept => format!("{} of {concept}", thousands(*rows)),
            })
            .collect();
        let left_out = thousands(generation.ceiling.left_out);
        lines.push(format!("left out   {left_out}: {}", by_concept.join(", ")));
    }
    for rule in &generation.quarantine {
        lines.push(format!(
            "quarantine {}, since generation {}: {} ({})",
            rule.rule,
            rule.since,
            many(rule.rows, "row"),
            rule.cause
        ));
    }
    lines.push(format!(
        "dataset    {}",
        lineage.dataset(generation.number).display()
    ));
    lines.join("\n")
}

fn list(folder: &Path) -> Result<(Value, String), Error> {
    let lineage = Lineage::open(folder)?;
    let file = lineage.file();
    let generations = file
        .generations
        .iter()
        .map(|entry| lineage.generation(Some(entry.number)))
        .collect::<Result<Vec<_>, _>>()?;
    let value = json!({
        "lineage": lineage.path(),
        "settings": file.settings,
        "validation": file.validation.rows,
        "test": file.test.rows,
        "generations": generations.iter().map(|generation| json!({
            "number": generation.number,
            "made": generation.made,
            "parent": generation.parent.as_ref().map(|parent| parent.number),
            "rows": generation.rows(),
            "real": generation.anchor.rows,
            "synthetic": generation.synthetic.rows,
            "synthetic_share": generation.synthetic.share,
            "room": generation.ceiling.room,
            "depth": generation.depth,
            "hash": generation.hash,
            "folder": lineage.dataset(generation.number),
        })).collect::<Vec<_>>(),
    });
    let mut text = format!(
        "{}: {} validation and {} test rows, locked; at most {:.1} % synthetic, depth at most {}\n",
        lineage.path().display(),
        thousands(file.validation.rows),
        thousands(file.test.rows),
        100.0 * file.settings.max_synthetic_share,
        file.settings.max_depth
    );
    text.push_str(&format!(
        "{:>4}  {:<10}  {:>10}  {:>10}  {:>7}  {:>5}  hash\n",
        "", "made", "real", "synthetic", "share", "depth"
    ));
    for generation in &generations {
        text.push_str(&format!(
            "{:>4}  {:<10}  {:>10}  {:>10}  {:>5.1} %  {:>5}  {}\n",
            generation.number,
            generation.made.to_string(),
            thousands(generation.anchor.rows),
            thousands(generation.synthetic.rows),
            100.0 * generation.synthetic.share,
            generation.depth,
            &generation.hash[..12.min(generation.hash.len())]
        ));
    }
    Ok((value, text))
}

fn checked_text(checked: &Checked) -> String {
    let Checked {
        generation,
        anchor_expected,
        anchor_present,
        leaks,
        leak_check,
        faults,
    } = checked;
    let by = match &leak_check.embedder {
        Some(embedder) => format!("by origin, by words and by meaning ({embedder})"),
        None => "by origin and by words".to_owned(),
    };
    let mut text = format!(
        "generation {generation}: {}\n  anchor: {} of {} real rows are there\n",
        if checked.is_whole() {
            "as it was made"
        } else {
            "not as it was made"
        },
        thousands(*anchor_present),
        thousands(*anchor_expected)
    );
    match leaks.count {
        0 => text.push_str(&format!("  leaks: none, {by}\n")),
        _ => text.push_str(&format!("  leaks, {by}: {leaks}\n")),
    }
    for fault in faults {
        text.push_str(&format!("  {fault}\n"));
    }
    text
}
