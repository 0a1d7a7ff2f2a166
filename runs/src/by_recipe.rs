//! What each recipe of a run brought, as the card shows it.

use std::fmt::Write;

use gristmill_domain::amount::MicroUsd;
use gristmill_domain::by_recipe::RecipeYield;
use gristmill_domain::words::thousands;

/// A section of the card; none without recipes.
pub(crate) fn section(text: &mut String, recipes: &[RecipeYield]) -> std::fmt::Result {
    if recipes.is_empty() {
        return Ok(());
    }
    writeln!(text, "## By recipe\n")?;
    writeln!(
        text,
        "| recipe | candidates | accepted | dropped, mostly for | calls | cost |\n|---|---:|---:|---|---:|---:|"
    )?;
    for recipe in recipes {
        writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} |",
            recipe.made,
            thousands(recipe.brought.candidates),
            thousands(recipe.brought.accepted),
            recipe.dropped(),
            thousands(recipe.brought.calls),
            MicroUsd(recipe.brought.usd_micros)
        )?;
    }
    writeln!(text)
}
