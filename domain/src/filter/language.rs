//! Language: whether a text is in a language that the job wants.
//!
//! Detection is `whatlang`'s (trigrams and scripts, 70 languages). It guesses on short texts, so those pass, and so does what it is
//! not confident about: a number, a name or a query has no language.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use whatlang::Lang;

use super::text::is_unspaced;

/// Enough of a text to tell its language; more only costs time.
const SAMPLE_BYTES: usize = 300;

/// What a text's language is held to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Languages let through, as ISO 639 codes ("en" or "eng"); none means any.
    pub allowed: Vec<Language>,
    /// Letters from which a text is judged; a letter of a script without spaces counts three.
    pub letters_min: usize,
    /// Detector's confidence from which another language is rejected, 0 to 1.
    pub confidence_min: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            allowed: vec![],
            letters_min: 60,
            confidence_min: 0.9,
        }
    }
}

/// A language that can be told apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Language(Lang);

/// A code names no language that can be told apart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no language that can be recognised: give an ISO 639 code such as `en`, `de` or `zh`")]
pub struct Error(String);

/// ISO 639-1 codes of the languages that have one; 639-3 codes are the detector's own.
const TWO_LETTERS: [(&str, Lang); 68] = [
    ("eo", Lang::Epo),
    ("en", Lang::Eng),
    ("ru", Lang::Rus),
    ("zh", Lang::Cmn),
    ("es", Lang::Spa),
    ("pt", Lang::Por),
    ("it", Lang::Ita),
    ("bn", Lang::Ben),
    ("fr", Lang::Fra),
    ("de", Lang::Deu),
    ("uk", Lang::Ukr),
    ("ka", Lang::Kat),
    ("ar", Lang::Ara),
    ("hi", Lang::Hin),
    ("ja", Lang::Jpn),
    ("he", Lang::Heb),
    ("yi", Lang::Yid),
    ("pl", Lang::Pol),
    ("am", Lang::Amh),
    ("jv", Lang::Jav),
    ("ko", Lang::Kor),
    ("nb", Lang::Nob),
    ("no", Lang::Nob),
    ("da", Lang::Dan),
    ("sv", Lang::Swe),
    ("fi", Lang::Fin),
    ("tr", Lang::Tur),
    ("nl", Lang::Nld),
    ("hu", Lang::Hun),
    ("cs", Lang::Ces),
    ("el", Lang::Ell),
    ("bg", Lang::Bul),
    ("be", Lang::Bel),
    ("mr", Lang::Mar),
    ("kn", Lang::Kan),
    ("ro", Lang::Ron),
    ("sl", Lang::Slv),
    ("hr", Lang::Hrv),
    ("sr", Lang::Srp),
    ("mk", Lang::Mkd),
    ("lt", Lang::Lit),
    ("lv", Lang::Lav),
    ("et", Lang::Est),
    ("ta", Lang::Tam),
    ("vi", Lang::Vie),
    ("ur", Lang::Urd),
    ("th", Lang::Tha),
    ("gu", Lang::Guj),
    ("uz", Lang::Uzb),
    ("pa", Lang::Pan),
    ("az", Lang::Aze),
    ("id", Lang::Ind),
    ("te", Lang::Tel),
    ("fa", Lang::Pes),
    ("ml", Lang::Mal),
    ("or", Lang::Ori),
    ("my", Lang::Mya),
    ("ne", Lang::Nep),
    ("si", Lang::Sin),
    ("km", Lang::Khm),
    ("tk", Lang::Tuk),
    ("ak", Lang::Aka),
    ("zu", Lang::Zul),
    ("sn", Lang::Sna),
    ("af", Lang::Afr),
    ("la", Lang::Lat),
    ("sk", Lang::Slk),
    ("ca", Lang::Cat),
];

impl Language {
    /// The language's name in English.
    pub fn name(self) -> &'static str {
        self.0.eng_name()
    }
}

impl fmt::Display for Language {
    /// The two-letter code where there is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let two = TWO_LETTERS
            .iter()
            .find(|(_, lang)| *lang == self.0)
            .map(|(code, _)| *code);
        f.write_str(two.unwrap_or(self.0.code()))
    }
}

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Language {
    type Err = Error;
    fn from_str(code: &str) -> Result<Self, Error> {
        let lower = code.trim().to_lowercase();
        TWO_LETTERS
            .iter()
            .find(|(two, _)| *two == lower)
            .map(|(_, lang)| *lang)
            .or_else(|| Lang::from_code(lower))
            .map(Self)
            .ok_or_else(|| Error(code.to_owned()))
    }
}

impl TryFrom<String> for Language {
    type Error = Error;
    fn try_from(code: String) -> Result<Self, Error> {
        code.parse()
    }
}

impl From<Language> for String {
    fn from(language: Language) -> Self {
        language.to_string()
    }
}

/// The language of a text and the detector's confidence, 0 to 1; `None` without letters.
pub fn detect(text: &str) -> Option<(Language, f64)> {
    let info = whatlang::detect(sample(text))?;
    Some((Language(info.lang()), info.confidence()))
}

/// What is wrong with the text's language; `None` when it is wanted, or cannot be told.
pub fn wrong_language(text: &str, settings: &Settings) -> Option<String> {
    if settings.allowed.is_empty() || letters(text) < settings.letters_min {
        return None;
    }
    // Most texts are English where English is wanted, and its commonest words tell that at a hundredth of the cost.
    if settings.allowed.contains(&Language(Lang::Eng)) && is_plainly_english(text) {
        return None;
    }
    let (language, confidence) = detect(text)?;
    (confidence >= settings.confidence_min && !settings.allowed.contains(&language)).then(|| {
        let wanted: Vec<&str> = settings.allowed.iter().map(|language| language.name()).collect();
        format!(
            "{} (confidence {confidence:.2}), not {}",
            language.name(),
            wanted.join(" or ")
        )
    })
}

/// True for text that is English with some confidence.
pub(super) fn is_english(text: &str) -> bool {
    detect(text).is_some_and(|(language, confidence)| language.0 == Lang::Eng && confidence >= 0.5)
}

/// True for text of which at least a sixth of the words are the commonest of English, among them some that no neighbour in Europe
/// has: in other languages even words that look alike ("a", "in", "was") stay below. False tells nothing.
fn is_plainly_english(text: &str) -> bool {
    const SHARED: [&str; 16] = [
        "a", "an", "in", "is", "it", "for", "was", "on", "are", "as", "be", "at", "do", "or", "not", "he",
    ];
    const OWN: [&str; 28] = [
        "the", "of", "and", "to", "that", "with", "this", "by", "from", "have", "what", "how", "they",
        "does", "which", "after", "who", "when", "there", "many", "much", "his", "her", "she", "each",
        "were", "than", "their",
    ];
    let (mut words, mut shared, mut own) = (0_usize, 0_usize, 0_usize);
    for word in sample(text).split_whitespace() {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        if word.contains(char::is_alphabetic) {
            words += 1;
            let is =
                |list: &[&str]| word.len() <= 5 && list.iter().any(|known| word.eq_ignore_ascii_case(known));
            let is_own = is(&OWN);
            own += usize::from(is_own);
            shared += usize::from(!is_own && is(&SHARED));
        }
    }
    own >= 2 && 6 * (own + shared) >= words
}

fn letters(text: &str) -> usize {
    text.chars()
        .filter(|c| c.is_alphabetic())
        .map(|c| if is_unspaced(c) { 3 } else { 1 })
        .sum()
}

/// The start of the text, to a whole word where there is one.
fn sample(text: &str) -> &str {
    if text.len() <= SAMPLE_BYTES {
        return text;
    }
    let head = &text[..text.floor_char_boundary(SAMPLE_BYTES)];
    head.rfind(char::is_whitespace).map_or(head, |at| &head[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn english_only() -> Settings {
        Settings {
            allowed: vec!["en".parse().unwrap()],
            ..Settings::default()
        }
    }

    const GERMAN: &str = "Die Pumpe saugt das Wasser aus dem Brunnen und drückt es durch den Filter in den Behälter über dem Haus.";
    const CHINESE: &str = "水泵从井里抽水并把水推过过滤器因此房子上面的水箱在一小时内就装满了";

    #[test]
    fn codes_of_two_and_three_letters_name_one_language() {
        for (code, lang) in TWO_LETTERS {
            assert_eq!(code.parse(), Ok(Language(lang)));
            assert_eq!(lang.code().parse(), Ok(Language(lang)));
        }
        for lang in Lang::all() {
            assert_eq!(Language(*lang).to_string().parse(), Ok(Language(*lang)));
        }
        let error = serde_json::from_str::<Language>("\"xx\"")
            .unwrap_err()
            .to_string();
        assert!(error.contains("`xx`") && error.contains("`en`"), "{error}");
    }

    #[test]
    fn other_languages_are_named() {
        let german = wrong_language(GERMAN, &english_only()).unwrap();
        assert!(
            german.contains("German") && german.contains("not English"),
            "{german}"
        );
        assert!(
            wrong_language(CHINESE, &english_only())
                .unwrap()
                .contains("Mandarin")
        );
        let both = Settings {
            allowed: vec!["en".parse().unwrap(), "deu".parse().unwrap()],
            ..Settings::default()
        };
        assert_eq!(wrong_language(GERMAN, &both), None);
        assert_eq!(
            wrong_language(CHINESE, &Settings::default()),
            None,
            "any language unless the job names some"
        );
    }

    #[test]
    fn short_texts_numbers_and_queries_pass() {
        for text in [
            "ja",
            "Der Hund",
            "42",
            "x = 3 + 4 = 7",
            "是",
            "",
            "SELECT a, b FROM t WHERE id = 7",
        ] {
            assert_eq!(wrong_language(text, &english_only()), None, "{text}");
        }
    }

    #[test]
    fn the_quick_test_for_english_is_not_fooled_by_neighbours() {
        assert!(is_plainly_english(
            "What is the distance from the well to the tank, and how long does it take by pump?"
        ));
        for text in [
            GERMAN,
            CHINESE,
            "In het huis is de tank op het dak, en de pomp is in de kelder: was de filter schoon, dan is het water er in een uur.",
            "A bomba de agua fica a direita do tanque, e a casa e a do meio, com a porta a esquerda da rua em frente a praia.",
            "",
        ] {
            assert!(!is_plainly_english(text), "{text}");
        }
    }

    #[test]
    fn only_the_start_of_a_long_text_is_read() {
        let long = "é".repeat(1_000);
        assert!(sample(&long).len() <= SAMPLE_BYTES);
        assert!(wrong_language(&GERMAN.repeat(20), &english_only()).is_some());
    }
}
