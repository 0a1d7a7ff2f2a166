use super::*;

fn shifted(before: &str, inner: &str, how: Shift) -> String {
    let mut text = format!("{before}{inner}");
    shift(&mut text, before.len(), how, false);
    text
}

#[test]
fn exponents_keep_their_numbers() {
    for (before, inner, text) in [
        ("3 × 10", "6", "3 × 10^6"),
        ("10", "−4", "10^-4"),
        ("5 m", "2", "5 m^2"),
        ("kg m", "-3", "kg m^-3"),
        ("x", "n+1", "x^(n+1)"),
        ("(a + b)", "2", "(a + b)^2"),
        ("e", "-kt", "e^-kt"),
        ("Ca", "2+", "Ca^2+"),
        ("2", "10", "2^10"),
        ("sin", "2", "sin^2"),
        ("", "14", "^14"),
        ("2", "n", "2^n"),
        ("= 2", "a", "= 2^a"),
        ("x_1", "*", "x_1^*"),
        ("R", "*", "R^*"),
        ("2", "h", "2^h"),
        ("SO_4", "2-", "SO_4^2-"),
        ("SO_4", "2−", "SO_4^2-"),
    ] {
        assert_eq!(shifted(before, inner, Shift::Raised), text);
    }
}

#[test]
fn marks_of_notes_stand_apart() {
    for (before, inner, text) in [
        ("note", "12", "note [12]"),
        ("in 1998", "3", "in 1998 [3]"),
        ("the end.", "4", "the end. [4]"),
        ("as shown", "1,2", "as shown [1,2]"),
        ("at 45", "3–5", "at 45 [3–5]"),
        ("the rate", "a", "the rate [a]"),
        ("they said", "[7]", "they said [7]"),
        ("a term", "*", "a term [*]"),
        ("a sentence.", "†", "a sentence. [†]"),
        ("45", "†", "45 [†]"),
        ("10", "*", "10 [*]"),
        ("45 %", "‡", "45 % [‡]"),
        ("7", "a", "7 [a]"),
        ("12.5", "e", "12.5 [e]"),
        ("1,204", "a,b", "1,204 [a,b]"),
        ("the rate", "a,b", "the rate [a,b]"),
        ("9.1", "ab", "9.1 [ab]"),
        ("a word", "†1", "a word [†1]"),
        ("", "*", "[*]"),
        ("", "a", "[a]"),
        ("(see the part above)", "9", "(see the part above) [9]"),
    ] {
        assert_eq!(shifted(before, inner, Shift::Raised), text);
    }
    let mut text = "10 6".to_owned();
    shift(&mut text, 3, Shift::Raised, true);
    assert_eq!(text, "10 [6]", "where the document says so");
}

#[test]
fn what_is_as_well_written_on_the_line_is() {
    for (before, inner, text) in [
        ("the 1", "st", "the 1st"),
        ("le 2", "e", "le 2e"),
        ("la 1", "re", "la 1re"),
        ("le XX", "e", "le XXe"),
        ("the n", "th", "the nth"),
        ("the (n + 1)", "st", "the (n + 1)st"),
        ("M", "me", "Mme"),
        ("M", "lle", "Mlle"),
        ("le D", "r", "le Dr"),
        ("N", "o", "N°"),
        ("1", "º", "1º"),
        ("20", "o", "20°"),
        ("Mill", "TM", "Mill™"),
        ("f", "′", "f′"),
    ] {
        assert_eq!(shifted(before, inner, Shift::Raised), text);
    }
}

#[test]
fn indices_are_marked() {
    for (before, inner, text) in [
        ("H", "2", "H_2"),
        ("x", "i+1", "x_(i+1)"),
        ("SO", "4", "SO_4"),
        ("log", "10 ", "log_10 "),
        ("", "small print", "small print"),
    ] {
        assert_eq!(shifted(before, inner, Shift::Lowered), text);
    }
}

#[test]
fn a_letter_that_is_called_a_note_is_no_ordinal() {
    let mut text = "7e".to_owned();
    shift(&mut text, 1, Shift::Raised, true);
    assert_eq!(text, "7 [e]");
}

/// Text in pieces as a document has them: `^` raises one and `_` lowers it.
fn line(pieces: &[&str]) -> String {
    let (mut text, mut ended) = (String::new(), None);
    for piece in pieces {
        let how = match piece.chars().next() {
            Some('^') => Shift::Raised,
            Some('_') => Shift::Lowered,
            _ => {
                follow(&mut text, ended.take(), piece);
                text.push_str(piece);
                continue;
            }
        };
        let from = text.len();
        text.push_str(&piece[1..]);
        ended = shift(&mut text, from, how, false);
    }
    text
}

#[test]
fn fractions_are_written_as_such() {
    for (pieces, text) in [
        (&["2", "^1", "/", "_2", " cups"][..], "2 1/2 cups"),
        (&["2 ", "^1", "/", "_2"], "2 1/2"),
        (&["^3", "/", "_4"], "3/4"),
        (&["take ", "^5", "⁄", "_8"], "take 5/8"),
        (&["take", "^5", "/", "_8"], "take 5/8"),
        (&["1", "^1/", "_2"], "1 1/2"),
        (&["1", "^1", "_/2"], "1 1/2"),
        (&["2", "^1", "⁄2"], "2 1⁄2"),
        (&["in 1998 ", "^11", "/", "_16"], "in 1998 11/16"),
        (&["10", "^6", "/", "2"], "10^6/2"),
        (&["a", "^2", "/", "b"], "a^2/b"),
        (&["1", "/", "_2"], "1/2"),
    ] {
        assert_eq!(line(pieces), text, "{pieces:?}");
    }
}

#[test]
fn what_follows_stands_apart_where_it_would_run_into_an_index() {
    for (pieces, text) in [
        (&["log", "_10", "100"][..], "log_10 100"),
        (&["log", "_2", "n"], "log_2 n"),
        (&["log", "_10", "(100)"], "log_10(100)"),
        (&["sin", "^2", "x"], "sin^2 x"),
        (&["x", "_i", "y"], "x_i y"),
        (&["2", "^a", " × 3", "^b", " = n"], "2^a × 3^b = n"),
        (&["7", "^a", " of them"], "7 [a] of them"),
        (&["C", "_6", "H", "_12", "O", "_6"], "C_6H_12O_6"),
        (&["x", "_1", "^2", " + 1"], "x_1^2 + 1"),
        (&["2", "^e", "s"], "2es"),
    ] {
        assert_eq!(line(pieces), text, "{pieces:?}");
    }
}
