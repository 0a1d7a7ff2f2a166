use expect_test::expect;
use proptest::prelude::*;

use super::*;
use crate::answer::GradedAnswer;
use crate::answer::tests::answer;
use crate::form::FormCheck;
use crate::grade::Grade;
use crate::judge::JudgeQuality;

/// A generation on four-way questions, each asked in three formats.
#[derive(Clone, Copy)]
pub(crate) struct Drawn {
    pub(crate) items: usize,
    /// Items that are right, from the first on.
    pub(crate) right: usize,
    /// Items whose answers have their form, from the first on.
    pub(crate) formed: usize,
}

impl Drawn {
    pub(crate) fn set(self) -> GradedSet {
        self.asked(&["plain", "json", "terse"])
    }

    fn asked(self, formats: &[&str]) -> GradedSet {
        let answers =
            (0..self.items).flat_map(|item| formats.iter().map(move |format| self.answer(item, format)));
        GradedSet::new(answers.collect()).unwrap()
    }

    fn answer(self, item: usize, format: &str) -> GradedAnswer {
        let mut made = answer(item, format, Some(item), Grade::of(item < self.right));
        made.form = FormCheck {
            kept: item < self.formed,
            words: 4,
            fault: String::new(),
        };
        // Every fifth item is of the tail.
        let tier = if item.is_multiple_of(5) { "tail" } else { "head" };
        made.slices.insert("tier".into(), tier.into());
        made
    }
}

pub(crate) fn four_way() -> CollapseSettings {
    CollapseSettings {
        chance: 0.25,
        ..CollapseSettings::default()
    }
}

fn stage(before: Drawn, after: Drawn) -> CollapseStage {
    let (before, after) = (before.set(), after.set());
    let reports = detect(&before, &[("1", &after)], None, &four_way());
    reports[0].whole.as_ref().unwrap().stage.clone()
}

#[test]
fn stages_of_a_dozen_generations() {
    let mut seen = String::new();
    for (name, items, before, after) in [
        ("the same in 1,000 items", 1_000, (800, 980), (800, 980)),
        ("the same in 5 items", 5, (4, 5), (4, 5)),
        ("better", 1_000, (800, 980), (860, 980)),
        ("5 of 100 lost", 100, (80, 98), (75, 98)),
        ("6 of 100 lost", 100, (80, 98), (74, 98)),
        ("1 point of 2,000 lost", 2_000, (1_600, 1_960), (1_580, 1_960)),
        ("10 points lost, form kept", 400, (320, 392), (280, 390)),
        ("10 points lost, form better", 400, (320, 360), (280, 399)),
        ("10 points lost, form lost too", 400, (320, 392), (280, 300)),
        ("at chance", 400, (320, 392), (108, 390)),
        ("at chance in 8 items", 8, (6, 8), (2, 8)),
        ("form gone, facts kept", 400, (320, 392), (320, 120)),
        ("form gone in 6 items", 6, (5, 4), (5, 2)),
        ("the baseline guesses", 400, (110, 392), (100, 392)),
    ] {
        let drawn = |(right, formed)| Drawn { items, right, formed };
        seen += &format!("{name}: {}\n", stage(drawn(before), drawn(after)));
    }
    expect![[r#"
        the same in 1,000 items: stage A, knowledge kept
        the same in 5 items: inconclusive: 316 items would settle it
        better: stage A, knowledge kept
        5 of 100 lost: inconclusive: 158 items would settle it
        6 of 100 lost: stage B, confidently wrong
        1 point of 2,000 lost: stage A, knowledge kept
        10 points lost, form kept: stage B, confidently wrong
        10 points lost, form better: stage B, confidently wrong
        10 points lost, form lost too: degraded, unclassified: accuracy and form have both fallen
        at chance: stage C, incoherent
        at chance in 8 items: inconclusive: 18 items would settle it
        form gone, facts kept: stage C, incoherent
        form gone in 6 items: inconclusive: 280 items would settle it
        the baseline guesses: inconclusive: the baseline itself guesses or does not keep the form
    "#]]
    .assert_eq(&seen);
}

#[test]
fn one_format_is_not_enough() {
    let before = Drawn {
        items: 400,
        right: 320,
        formed: 392,
    };
    let after = Drawn { right: 280, ..before };
    let (before, after) = (before.asked(&["plain"]), after.asked(&["plain"]));
    let reports = detect(&before, &[("1", &after)], None, &four_way());
    assert_eq!(
        reports[0].whole.as_ref().unwrap().stage.to_string(),
        "inconclusive: the items were asked in too few prompt formats"
    );
}

#[test]
fn questions_that_one_model_left_out_are_noticed() {
    let before = Drawn {
        items: 400,
        right: 320,
        formed: 392,
    }
    .set();
    let after = before.part(|answer| answer.item != "item-399");
    let reports = detect(&before, &[("1", &after)], None, &four_way());
    assert_eq!(
        reports[0].whole.as_ref().unwrap().stage.to_string(),
        "inconclusive: some questions were answered by one of the models only"
    );
    let nothing = detect(&before, &[("1", &GradedSet::default())], None, &four_way());
    assert_eq!(nothing[0].whole, None);
    assert!(first_collapsed(&nothing).is_none());
}

#[test]
fn a_judges_errors_are_carried_into_the_stages() {
    let before = Drawn {
        items: 1_000,
        right: 800,
        formed: 1_000,
    };
    let staged = |lost: usize, judge: Option<JudgeQuality>| {
        let after = Drawn {
            right: before.right - lost,
            ..before
        };
        let settings = CollapseSettings { judge, ..four_way() };
        let (before, after) = (before.set(), after.set());
        let report = detect(&before, &[("1", &after)], None, &settings).remove(0);
        report.whole.map(|report| report.stage)
    };
    let judge = |right_called_right, wrong_called_wrong| {
        Some(JudgeQuality {
            right: 200,
            right_called_right,
            wrong: 200,
            wrong_called_wrong,
        })
    };
    // It sees six in ten of what changes: 12 lost answers of 1,000 are 2 points.
    let lenient = judge(190, 130);
    let plain = staged(12, None).unwrap();
    assert!(matches!(plain, CollapseStage::Inconclusive { .. }), "{plain}");
    assert_eq!(staged(12, lenient), Some(CollapseStage::ConfidentlyWrong));
    let blind = staged(12, judge(100, 100)).unwrap();
    assert_eq!(
        blind.to_string(),
        "inconclusive: the judge was not measured, or does no better than guessing"
    );
}

#[test]
fn the_tail_goes_first() {
    let before = Drawn {
        items: 2_000,
        right: 2_000,
        formed: 2_000,
    };
    // A third of the tail is lost, nothing of the head: 6.5 points of all.
    let answers: Vec<GradedAnswer> = Vec::from(before.set())
        .into_iter()
        .map(|mut answer| {
            let number: usize = answer.item.trim_start_matches("item-").parse().unwrap();
            if number.is_multiple_of(15) {
                answer.grade = Grade::INCORRECT;
            }
            answer
        })
        .collect();
    let after = GradedSet::new(answers).unwrap();
    let key = SliceKey::Named("tier".into());
    let reports = detect(
        &before.set(),
        &[("0", &before.set()), ("1", &after)],
        Some(&key),
        &four_way(),
    );
    assert_eq!(reports[0].whole.as_ref().unwrap().stage, CollapseStage::Kept);
    assert_eq!(reports[1].parts["head"].stage, CollapseStage::Kept);
    assert_eq!(reports[1].parts["tail"].stage, CollapseStage::ConfidentlyWrong);
    assert_eq!(first_collapsed(&reports).unwrap().name, "1");
}

#[test]
fn ten_looks_are_not_one() {
    let before = Drawn {
        items: 200,
        right: 160,
        formed: 200,
    };
    // Six lost items: p = .03125, which is nothing among ten generations.
    let after = Drawn { right: 154, ..before }.set();
    let before = before.set();
    let alone = detect(&before, &[("1", &after)], None, &four_way());
    assert_eq!(
        alone[0].whole.as_ref().unwrap().stage,
        CollapseStage::ConfidentlyWrong
    );
    let mut generations = vec![("same", &before); 9];
    generations.push(("last", &after));
    let reports = detect(&before, &generations, None, &four_way());
    assert!(
        !reports[9].whole.as_ref().unwrap().stage.is_collapse(),
        "{:?}",
        reports[9]
    );
}

proptest! {
    /// Whatever the data, a stage of collapse comes with a fall that is shown, and stage A with an interval within the margin.
    #[test]
    fn stages_are_claims_that_the_data_carry(
        items in 1_usize..200, a in 0.0..=1.0_f64, b in 0.0..=1.0_f64, c in 0.0..=1.0_f64, d in 0.0..=1.0_f64,
    ) {
        let count = |share: f64| (share * items as f64) as usize;
        let before = Drawn { items, right: count(a), formed: count(b) };
        let after = Drawn { items, right: count(c), formed: count(d) };
        let (before, after) = (before.set(), after.set());
        let reports = detect(&before, &[("1", &after)], None, &four_way());
        let report = reports[0].whole.as_ref().unwrap();
        let found = &report.comparison;
        match report.stage {
            CollapseStage::Kept => prop_assert!(found.interval.low > -0.02),
            CollapseStage::ConfidentlyWrong | CollapseStage::Degraded => {
                prop_assert!(found.p_value < 0.05 && found.change <= -0.02 + 1e-9);
            }
            CollapseStage::Incoherent => {
                prop_assert!(found.p_value < 0.05 || found.form_p_value < 0.05);
                prop_assert!(found.change < 0.0 || found.form_after < found.form_before);
            }
            CollapseStage::Inconclusive { .. } => {}
        }
        if items < 6 {
            prop_assert!(matches!(report.stage, CollapseStage::Inconclusive { .. }), "five items show nothing");
        }
    }
}

#[test]
fn one_part_of_forty_falls_by_chance() {
    let items = 800;
    let concepts = |lost: usize| {
        let drawn = Drawn {
            items,
            right: items,
            formed: items,
        };
        let answers = Vec::from(drawn.set()).into_iter().map(|mut answer| {
            let number: usize = answer.item.trim_start_matches("item-").parse().unwrap();
            answer
                .slices
                .insert("concept".into(), format!("{:02}", number % 40));
            // Of one concept alone.
            if number % 40 == 7 && number / 40 < lost {
                answer.grade = Grade::INCORRECT;
            }
            answer
        });
        GradedSet::new(answers.collect()).unwrap()
    };
    let key = SliceKey::Named("concept".into());
    let stage_of = |lost: usize| {
        let reports = detect(&concepts(0), &[("1", &concepts(lost))], Some(&key), &four_way());
        reports[0].parts["07"].stage.clone()
    };
    // Six lost items of twenty: p = .03125, which is nothing among forty parts.
    assert!(!stage_of(6).is_collapse(), "{}", stage_of(6));
    assert!(stage_of(14).is_collapse(), "{}", stage_of(14));
}
