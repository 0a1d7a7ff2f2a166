//! Yes/no/maybe questions made up on the spot: a trial is reported, and its p-value decides the label.

use std::sync::LazyLock;

use super::draw::Draw;
use super::pattern::{Pattern, Values};
use super::wording::Canon;

/// The labels, in the order of their p-values.
pub(crate) const LABELS: [&str; 3] = ["yes", "maybe", "no"];

const TREATMENTS: [&str; 40] = [
    "metformin",
    "aspirin",
    "yoga",
    "acupuncture",
    "zinc",
    "ibuprofen",
    "telemonitoring",
    "melatonin",
    "physiotherapy",
    "ketamine",
    "probiotics",
    "mindfulness",
    "heparin",
    "simvastatin",
    "counseling",
    "magnesium",
    "lidocaine",
    "propranolol",
    "nitroglycerin",
    "dexamethasone",
    "omeprazole",
    "biofeedback",
    "hypnosis",
    "prehabilitation",
    "tamoxifen",
    "erythropoietin",
    "lithium",
    "clopidogrel",
    "gabapentin",
    "fasting",
    "cryotherapy",
    "phototherapy",
    "capsaicin",
    "fluoxetine",
    "iron",
    "caffeine",
    "selenium",
    "estradiol",
    "budesonide",
    "warfarin",
];
const OUTCOMES: [&str; 30] = [
    "readmission",
    "sleep duration",
    "pain scores",
    "walking distance",
    "wound healing",
    "blood loss",
    "fatigue",
    "appetite",
    "infection rates",
    "grip strength",
    "lung function",
    "resting pulse",
    "length of stay",
    "relapse",
    "joint stiffness",
    "muscle mass",
    "nausea",
    "platelet counts",
    "visual acuity",
    "hearing thresholds",
    "mood",
    "adherence",
    "bone density",
    "gait stability",
    "skin lesions",
    "memory scores",
    "tumor size",
    "stool frequency",
    "kidney function",
    "oxygen uptake",
];
/// What the questions are about when nothing else is wanted.
pub(crate) const TOPICS: [&str; 30] = [
    "asthma",
    "migraine",
    "hip fracture",
    "sepsis",
    "gout",
    "psoriasis",
    "glaucoma",
    "endometriosis",
    "epilepsy",
    "cataract",
    "colorectal polyps",
    "atrial fibrillation",
    "preeclampsia",
    "osteoporosis",
    "schizophrenia",
    "tinnitus",
    "celiac sprue",
    "varicose veins",
    "pancreatitis",
    "cystic fibrosis",
    "kidney stones",
    "sleep apnea",
    "hepatitis",
    "lupus",
    "hernia repair",
    "tuberculosis",
    "anorexia",
    "melanoma",
    "knee arthroplasty",
    "dementia",
];
const TEMPLATES: [&str; 8] = [
    "In a trial of {a} adults treated for {C}, {t} shifted {Y} by {b} percent (p = {p}). Is {t} of value in {D}?",
    "A registry of {a} cases of {C} compared {Y} with and without {t}; the gap was {b} percent, with p = {p}. Should {t} be expected to alter {Z}?",
    "Researchers followed {a} volunteers with {C} for {b} months and tested {t} against placebo. For {Y} they report p = {p}. Can {t} change {Z}?",
    "{t} was given to every second one of {a} persons admitted for {C}. After {b} weeks the contrast in {Y} had p = {p}. Does {t} help in {D}?",
    "Two clinics enrolled {a} volunteers to see whether {t} matters for {Y} in {C}. They observed a {b} percent shift at p = {p}. Does {t} matter here?",
    "Data from {a} records on {C} link {t} and {Y} at p = {p} after {b} covariates were taken into account. Is the link between {t} and {Z} supported?",
    "Over {b} years, {a} families affected by {C} reported on {Y}. Those taking {t} stood apart with p = {p}. Is {t} tied to {Z} in this setting?",
    "A pilot on {C} with {a} enrolled persons measured {Y} before and after {t}, finding p = {p} at {b} weeks. Would {t} be justified on these grounds?",
];
const P_YES: [&str; 8] = [
    "0.001", "0.002", "0.004", "0.008", "0.011", "0.017", "0.024", "0.038",
];
const P_MAYBE: [&str; 6] = ["0.052", "0.061", "0.074", "0.089", "0.097", "0.13"];
const P_NO: [&str; 8] = ["0.27", "0.34", "0.41", "0.48", "0.56", "0.63", "0.72", "0.88"];

static PATTERNS: LazyLock<Vec<Pattern>> =
    LazyLock::new(|| TEMPLATES.iter().map(|t| Pattern::new(t)).collect());

/// Makes up a question about a concept. Labels fall as in the medicine set: 55 % yes, 11 % maybe, 34 % no.
pub(crate) fn make(concept: Option<&str>, draw: Draw) -> String {
    let concept = concept.map(plain).filter(|c| !c.is_empty());
    let concept = concept.unwrap_or_else(|| draw.of("topic").text(&TOPICS).to_owned());
    let outcome = draw.of("outcome").text(&OUTCOMES);
    let level = draw.of("level").unit();
    let p = match level {
        l if l < 0.55 => draw.of("p").text(&P_YES),
        l if l < 0.66 => draw.of("p").text(&P_MAYBE),
        _ => draw.of("p").text(&P_NO),
    };
    let mut values = Values::default();
    for (slot, value) in [
        ('C', concept.as_str()),
        ('D', &concept),
        ('Y', outcome),
        ('Z', outcome),
        ('p', p),
    ] {
        values.set(slot, value);
    }
    values.set('t', draw.of("treatment").text(&TREATMENTS));
    values.set('a', draw.of("size").between(40, 960).to_string());
    values.set('b', draw.of("shift").between(13, 47).to_string());
    let text = values.fill(draw.of("template").text(&TEMPLATES));
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}

/// A concept's name as it can stand inside a sentence.
pub(crate) fn plain(concept: &str) -> String {
    let words: String = concept
        .chars()
        .map(|c| if ".?!:;\"(){}<>\n".contains(c) { ' ' } else { c })
        .collect();
    words
        .split_whitespace()
        .take(10)
        .collect::<Vec<_>>()
        .join(" ")
        .to_lowercase()
}

/// The right label of a question in any of its wordings.
pub(crate) fn read(text: &Canon) -> Option<&'static str> {
    let p: f64 = PATTERNS
        .iter()
        .find_map(|pattern| pattern.read(text))?
        .text('p')?
        .parse()
        .ok()?;
    Some(match p {
        p if p < 0.05 => LABELS[0],
        p if p < 0.2 => LABELS[1],
        _ => LABELS[2],
    })
}

#[cfg(test)]
mod tests {
    use super::super::wording::{Strength, canon, reword};
    use super::*;

    #[test]
    fn questions_are_read_back_and_name_their_concept() {
        let mut counts = [0; 3];
        for seed in 0..1500 {
            let draw = Draw::new(seed);
            let text = make(Some("Diabetes Mellitus, Type 2"), draw);
            assert!(text.contains("diabetes mellitus, type 2"), "{text}");
            let label = read(&canon(&text));
            assert_eq!(
                read(&canon(&reword(&text, Strength::FULL, draw))),
                label,
                "{text}"
            );
            let label = label.unwrap_or_else(|| panic!("not read: {text}"));
            counts[LABELS.iter().position(|l| *l == label).unwrap()] += 1;
        }
        assert!(
            counts[0] > 700 && counts[1] > 100 && counts[2] > 400,
            "{counts:?}"
        );
    }
}
