//! Embeddings without a model: hashed words and word pairs, so that texts that share words lie close.

use super::draw::{Draw, hash64};

/// A unit vector of the text, the same on every machine. Words count 1, neighbouring pairs ½; each goes to two places with signs of its own,
/// so that different words rarely cancel. A text without words is the first axis.
pub(crate) fn embed(text: &str, dimensions: usize) -> Vec<f32> {
    let mut vector = vec![0.0_f32; dimensions];
    let words: Vec<String> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty())
        .map(str::to_lowercase)
        .collect();
    let mut add = |feature: &[&[u8]], weight: f32| {
        let draw = Draw::new(hash64(feature));
        for place in 0..2 {
            let draw = draw.at(place);
            let sign = if draw.bits() & 1 == 0 { weight } else { -weight };
            vector[draw.below(dimensions)] += sign;
        }
    };
    words.iter().for_each(|word| add(&[word.as_bytes()], 1.0));
    words
        .windows(2)
        .for_each(|pair| add(&[pair[0].as_bytes(), pair[1].as_bytes()], 0.5));
    let norm = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    if norm == 0.0 {
        vector[0] = 1.0;
        return vector;
    }
    vector.iter().map(|x| (f64::from(*x) / norm) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cosine(a: &str, b: &str) -> f32 {
        embed(a, 256).iter().zip(embed(b, 256)).map(|(x, y)| x * y).sum()
    }

    #[test]
    fn similar_texts_are_near_and_others_are_not() {
        let text = "How many clips did Natalia sell in April and May?";
        assert!((cosine(text, text) - 1.0).abs() < 1e-5);
        assert!(cosine(text, "How many clips did Natalia sell in June and May?") > 0.7);
        assert!(cosine(text, "Is routine dissection of lymph nodes really necessary?").abs() < 0.3);
        assert_eq!(embed("…", 8), embed("", 8));
    }
}
