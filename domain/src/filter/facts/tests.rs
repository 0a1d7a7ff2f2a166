use proptest::prelude::*;

use super::*;

/// (same, domain, a, b) of the labelled pairs.
fn pairs() -> impl Iterator<Item = (bool, &'static str, &'static str, &'static str)> {
    let lines = include_str!("../../../../tests/data/question-pairs.tsv").lines();
    lines.filter(|line| !line.starts_with('#')).map(|line| {
        let mut fields = line.split('\t');
        let mut next = || fields.next().unwrap();
        (next() == "same", next(), next(), next())
    })
}

#[test]
fn labelled_pairs_are_told_apart() {
    // Two nouns side by side look like an adjective that moved ("the closest planet", "the planet closest").
    let beyond_it = ["Are all squares rectangles?"];
    let mut wrong = Vec::new();
    for (same, domain, a, b) in pairs() {
        let found = distinct_facts(a, b);
        if found.is_none() != same && !beyond_it.contains(&a) {
            wrong.push(format!("{domain}, same {same}: {a} | {b}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "wrong:\n{}", wrong.join("\n"));
    assert!(pairs().count() > 300);
}

#[test]
fn numbers_are_read_in_digits_and_words() {
    for (text, numbers) in [
        (
            "48 friends, 1,200 clips for $3.50 (25%) on the 12th",
            &[0.25, 3.5, 12.0, 48.0, 1200.0][..],
        ),
        ("twenty-five hens and two hundred and six geese", &[25.0, 206.0]),
        ("three thousand four hundred and twenty", &[3420.0]),
        ("2.5 million of them, a hundred here", &[100.0, 2.5e6]),
        ("a dozen, two dozen, twice, half as many", &[0.5, 2.0, 12.0, 24.0]),
        ("two, three or four; ten six", &[2.0, 3.0, 4.0, 6.0, 10.0]),
        ("five and six", &[5.0, 6.0]),
        ("-4 degrees, 1/2 cup, 8-hour days", &[-4.0, 0.5, 8.0]),
        ("one of them and 1 more, vitamin B12", &[]),
        ("5½ cups, 2 1/4 spoons, two and a half pies", &[2.25, 2.5, 5.5]),
        (
            "two thirds, a quarter, three-quarters of the third part",
            &[0.25, 2.0 / 3.0, 0.75, 3.0],
        ),
        ("50 cents, 30 per cent, half a dozen", &[0.3, 0.5, 6.0]),
        (
            "3:30 on 7 May; 1e3; 5k; 10^6",
            &[3.0, 5000.0, 6.0, 7.0, 10.0, 30.0, 1000.0],
        ),
        ("小明有37个苹果，又买了四十一个", &[37.0, 41.0]),
        ("٣ كتب و١٢٫٥ كيلو", &[3.0, 12.5]),
        ("५ और १,२०० रुपये", &[5.0, 1200.0]),
        ("３万５千円、三角形", &[5000.0, 30_000.0]),
    ] {
        let mut wanted = numbers.to_vec();
        wanted.sort_by(f64::total_cmp);
        let found = Facts::of(text).numbers;
        assert!(
            found.len() == wanted.len() && found.iter().zip(&wanted).all(|(a, b)| same_number(*a, *b)),
            "{text}: {found:?}"
        );
    }
}

#[test]
fn questions_with_other_numbers_or_names_are_other_questions() {
    let natalia = "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. How many \
                   clips did Natalia sell altogether in April and May?";
    for other in [
        &natalia.replace("48", "52"),
        &natalia.replace("half", "twice"),
        &natalia.replace("May", "June"),
        &natalia.replace("Natalia", "Nora"),
        "Natalia sold clips to forty of her friends in April, and then half as many in May. How many altogether?",
    ] {
        for found in [
            Facts::of(natalia).differ(&Facts::of(other)),
            Facts::of(natalia).contradict(&Facts::of(other)),
        ] {
            assert!(found.is_some(), "{other}");
        }
    }
}

#[test]
fn rephrasings_may_use_other_words_and_formats() {
    for (a, b) in [
        (
            "Weng earns $12 an hour for babysitting. Yesterday, she just did 50 minutes. How much did she earn?",
            "For babysitting, Weng is paid twelve dollars an hour. If she worked fifty minutes, what did she earn?",
        ),
        (
            "Janet’s ducks lay 16 eggs per day.",
            "Every day sixteen eggs are laid by the ducks of Janet.",
        ),
        ("He bought 1 apple.", "He bought an apple."),
        (
            "They paid $1,000.00 in all.",
            "In all, they paid one thousand dollars.",
        ),
        ("How tall is the tower?", "What is the height of the tower?"),
        (
            "Which table holds `customer_id`?",
            "In which table is the customer id kept?",
        ),
        ("Is it safe?", "Is it without danger?"),
        (
            "Is a stay of 3 days unsafe?",
            "Would staying for three days not be safe?",
        ),
        (
            "Did the fire start before the storm?",
            "Did the storm start after the fire?",
        ),
        (
            "A quarter of the 40 birds fly away.",
            "25% of the 40 birds leave by air.",
        ),
    ] {
        let (one, other) = (Facts::of(a), Facts::of(b));
        assert_eq!(one.contradict(&other), None, "{a} | {b}");
        assert!(!one.apart(&other), "{a} | {b}");
    }
}

#[test]
fn rephrasings_may_not_turn_a_question_around() {
    for (a, b) in [
        ("Is it safe to swim here?", "Is it unsafe to swim here?"),
        (
            "Which state has the most lakes?",
            "Name the state where the fewest lakes are found.",
        ),
        (
            "What did the cat do to the dog?",
            "What did the dog do to the cat?",
        ),
        ("For which n is n < 7?", "For which n is n > 7?"),
        ("Which students passed?", "Which students did not pass?"),
        ("What does tar -x do?", "What does tar -c do?"),
    ] {
        assert!(Facts::of(a).contradict(&Facts::of(b)).is_some(), "{a} | {b}");
    }
}

#[test]
fn a_leak_is_not_let_through_for_its_format_or_an_addition() {
    let held_out =
        Facts::of("A shop sells 1,200 pens at $2.50. Half of them are red. What do the red pens cost?");
    for leak in [
        "Fifty percent of the 1200 pens in a shop are red, and one pen costs 2.5 dollars. What do the red ones cost?",
        "In 2 steps: a shop has 1\u{202f}200 pens at $2.50 each, half of them red. How much are the red pens?",
        "A shop in Paris sells 1.200e3 pens at $2,50. Half are red. What is the cost of the red ones?",
    ] {
        assert!(!held_out.apart(&Facts::of(leak)), "{leak}");
    }
    for clean in [
        "A shop sells 1,400 pens at $2.50. Half of them are red. What do the red pens cost?",
        "A shop sells 1,200 pens at $3.50. Half of them are red. What do the red pens cost?",
    ] {
        assert!(held_out.apart(&Facts::of(clean)), "{clean}");
    }
}

/// Pairs of which each is two questions, and pairs that are one.
#[test]
fn case_signs_charges_and_places_are_facts_in_any_language() {
    for (a, b) in [
        (
            "What is the mass of a mole of CO?",
            "What is the mass of a mole of Co?",
        ),
        (
            "What is the power of 5 mW in a circuit?",
            "What is the power of 5 MW in a circuit?",
        ),
        ("How large is a file of 3 Mb?", "How large is a file of 3 MB?"),
        (
            r"Explain the regex \d+ in a few words.",
            r"Explain the regex \D+ in a few words.",
        ),
        ("Is x ∈ S in this example?", "Is x ∉ S in this example?"),
        ("Is A ⊂ B for these sets?", "Is A ⊃ B for these sets?"),
        ("What does a && b return?", "What does a || b return?"),
        (
            "What does the arrow A -> B mean?",
            "What does the arrow A <- B mean?",
        ),
        ("What does A → B mean?", "What does A <- B mean?"),
        (
            "What is the charge of Na+ in the salt?",
            "What is the charge of Na- in the salt?",
        ),
        ("Who gets an A+ in the course?", "Who gets an A- in the course?"),
        (
            "Quanto costa il biglietto da Roma a Milano?",
            "Quanto costa il biglietto da Milano a Roma?",
        ),
        (
            "Ile trwa lot z Oslo do Rzymu w maju?",
            "Ile trwa lot z Rzymu do Oslo w maju?",
        ),
    ] {
        assert!(distinct_facts(a, b).is_some(), "{a} | {b}");
        assert!(distinct_facts(b, a).is_some(), "{b} | {a}");
    }
    for (a, b) in [
        (
            "WHAT IS THE MASS OF A MOLE OF CO?",
            "what is the mass of a mole of co?",
        ),
        ("At 5 PM the tv is on.", "At 5 pm the TV is on."),
        ("Is f: A -> B total?", "Is f: A → B total?"),
        (
            "Chi vive tra Roma, Milano e Napoli?",
            "Chi vive tra Milano, Roma e Napoli?",
        ),
        (
            "How far are Rome and Milan apart?",
            "How far are Milan and Rome apart?",
        ),
    ] {
        assert_eq!(distinct_facts(a, b), None, "{a} | {b}");
    }
}

#[test]
fn the_case_of_a_letter_by_itself_counts() {
    for (a, b) in [
        ("What does g do in vim?", "What does G do in vim?"),
        (
            "In vim, when I press g, what happens?",
            "In vim, when I press G, what happens?",
        ),
        ("Is it 3 m or more?", "Is it 3 M or more?"),
        ("Что делает клавиша ж?", "Что делает клавиша Ж?"),
    ] {
        let (one, other) = (Facts::of(a), Facts::of(b));
        for (one, other) in [(&one, &other), (&other, &one)] {
            assert!(one.differ(other).is_some(), "{a} | {b}");
            assert!(one.contradict(other).is_some(), "{a} | {b}");
        }
    }
    for (a, b) in [
        ("Is this a key?", "Is this A key?"),
        ("May I go?", "may i go?"),
        ("g does what in vim?", "G does what in vim?"),
        ("WHAT DOES G DO IN VIM?", "what does g do in vim?"),
        (
            "What Does Pressing G Mean Within The Editor?",
            "what does pressing g mean within the editor?",
        ),
        ("Is an x-ray safe?", "Is an X-ray safe?"),
        ("When was George W. Bush born?", "When was george w. bush born?"),
        ("Which floats? a) tin b) cork", "Which floats? A) tin B) cork"),
        ("How heavy are 5 l of milk?", "How heavy are 5 L of milk?"),
        ("What is the type of list?", "What is the type of List?"),
        ("What is the capital of france?", "What is the capital of France?"),
    ] {
        assert_eq!(distinct_facts(a, b), None, "{a} | {b}");
        assert_eq!(distinct_facts(b, a), None, "{b} | {a}");
    }
}

#[test]
fn what_differs_is_said() {
    for (a, b, said) in [
        ("He has 3 hens.", "He has four hens.", "numbers 3 against 4"),
        (
            "Who leads Apple?",
            "Who leads Google?",
            "only one of them names `apple`",
        ),
        ("ls -a", "ls -A", "only one of them has `-a`"),
        ("Is x < 5?", "Is x > 5?", "signs `<` against `>`"),
        ("Can it fly?", "Can it not fly?", "only one of them is negated"),
        ("Is it safe?", "Is it unsafe?", "`safe` against `unsafe`"),
    ] {
        assert_eq!(distinct_facts(a, b).unwrap().to_string(), said);
    }
}

proptest! {
    #[test]
    fn spelling_a_number_keeps_it(n in 2_u32..100) {
        const UNITS: [&str; 20] = [
            "", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
            "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
        ];
        const TENS: [&str; 8] = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
        let below_100 = |n: u32| match n {
            0..20 => UNITS[n as usize].to_owned(),
            _ => format!("{}-{}", TENS[n as usize / 10 - 2], UNITS[n as usize % 10]).trim_end_matches('-').to_owned(),
        };
        let words = below_100(n);
        let plain = format!("He has {words} hens.");
        let digits = format!("He has {n} hens.");
        prop_assert_eq!(distinct_facts(&plain, &digits), None);
        let hundreds = format!("He has {words} thousand three hundred and {words} hens.");
        let digits = format!("He has {} hens.", n * 1000 + 300 + n);
        prop_assert_eq!(distinct_facts(&hundreds, &digits), None);
        let more = format!("He has {} hens.", n + 1);
        prop_assert!(distinct_facts(&plain, &more).is_some());
    }

    #[test]
    fn a_difference_is_mutual_and_nothing_differs_from_itself(
        a in "([A-Za-z0-9 .,'`<>=+*/%$-]|not |safe |un|東|三|٣){0,30}", b in "([A-Za-z0-9 .,'`<>=+*/%$-]|not |safe |un|東|三|٣){0,30}",
    ) {
        let (one, other) = (Facts::of(&a), Facts::of(&b));
        prop_assert_eq!(one.differ(&other).is_some(), other.differ(&one).is_some());
        prop_assert_eq!(one.contradict(&other).is_some(), other.contradict(&one).is_some());
        prop_assert_eq!(one.apart(&other), other.apart(&one));
        prop_assert_eq!(one.altered_in(&other).is_some(), other.altered_in(&one).is_some());
        prop_assert_eq!(one.altered_in(&one), None);
        prop_assert_eq!(one.differ(&one), None);
        prop_assert!(!one.apart(&one));
    }

    #[test]
    fn each_question_asked_of_facts_is_milder_than_the_one_before(a in "([a-z]{1,5}|[0-9]{1,2}|not|safe|unsafe|Bob|Ann)( ([a-z]{1,5}|[0-9]{1,2}|not|safe|unsafe|Bob|Ann)){0,8}", b in "([a-z]{1,5}|[0-9]{1,2}|not|safe|unsafe|Bob|Ann)( ([a-z]{1,5}|[0-9]{1,2}|not|safe|unsafe|Bob|Ann)){0,8}") {
        let (one, other) = (Facts::of(&a), Facts::of(&b));
        prop_assert!(one.differ(&other).is_some() || one.contradict(&other).is_none());
        prop_assert!(one.contradict(&other).is_some() || !one.apart(&other));
    }

    #[test]
    fn case_spacing_and_punctuation_are_no_facts(words in prop::collection::vec("[a-z]{2,7}|[1-9][0-9]{0,2}", 1..12)) {
        let plain = words.join(" ");
        let loud = format!("  {}?!", words.join(" \n").to_uppercase().replace('\n', "  "));
        let (one, other) = (Facts::of(&plain), Facts::of(&loud.to_lowercase()));
        prop_assert_eq!(one.differ(&other), None, "{}", loud);
    }

    #[test]
    fn digits_of_any_script_are_the_same_number(n in 0_u32..100_000, zero in prop::sample::select(vec!['٠', '०', '０', '๐', '০', '۰'])) {
        let other: String = n.to_string().bytes().filter_map(|b| char::from_u32(u32::from(zero) + u32::from(b - b'0'))).collect();
        prop_assert_eq!(distinct_facts(&format!("x {n} y"), &format!("x {other} y")), None);
    }
}
