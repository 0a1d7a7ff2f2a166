//! English words that carry no subject: articles, pronouns, prepositions, conjunctions, auxiliaries, question words, and a few adverbs that
//! questions are full of.

use std::collections::HashSet;
use std::sync::LazyLock;

/// The words, lower-cased, in the order of the alphabet.
const WORDS: &str = "\
a about above across after again against all almost along already also although always am among amongst an and another any anyone \
anything are as at away back be became because become becomes been before behind being below beside besides best better between beyond \
both but by can cannot could did do does doing done down due during each eight either else enough ever every everyone everything few \
fewer first five for four from further get gets give given gives go goes got had has have having he hence her here hers herself him \
himself his how however i if in indeed inside instead into is it its itself just know known last least less let like likely many may \
maybe me might mine more most mostly much must my myself near neither never new next nine no nobody non none nor not nothing now of off \
often on once one only onto or other others otherwise our ours ourselves out outside over own per perhaps possible put quite rather \
really same say says see seem seems seen seven several shall she should show shown shows since six so some someone something sometimes \
somewhere still such take taken takes ten than that the their theirs them themselves then there thereby therefore these they thing \
things this those though three through throughout thus to together too toward towards two under unless until up upon us use used useful \
uses using usually versus very via was we well were what whatever when where whereas wherein whether which while who whole whom whose \
why will with within without would yes yet you your yours yourself";

/// True for a word, lower-cased, that names nothing.
pub(super) fn is_function_word(word: &str) -> bool {
    static KNOWN: LazyLock<HashSet<&str>> = LazyLock::new(|| WORDS.split(' ').collect());
    KNOWN.contains(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_once_and_in_order() {
        let words: Vec<&str> = WORDS.split(' ').collect();
        let mut sorted = words.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(words, sorted);
        assert!(is_function_word("would") && !is_function_word("factor"));
    }
}
