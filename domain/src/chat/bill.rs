//! What an answer is booked at: a provider's report of tokens, believed only as far as it cannot be too low.
//!
//! Reports err: some count the hidden reasoning only in the total, some count it apart, some leave members out or send zeros. Each rule below
//! takes the reading that costs more, so that what is booked is never less than what any reading of the report would bill.

use serde::{Deserialize, Serialize};

use crate::amount::{Amount, MicroUsd};

use super::{Finish, Price, Prompt, Request, Response, Usage};

/// Tokens as a provider reported them. `None` is a number that was not sent, or that cannot be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reported {
    /// Prompt tokens, cached ones included.
    pub input_tokens: Option<u64>,
    /// Of those, read from the provider's cache.
    pub cached_input_tokens: Option<u64>,
    /// Of the prompt tokens, written to the provider's cache. What they cost beyond others is among the prompt tokens already.
    pub written_tokens: Option<u64>,
    /// Completion tokens.
    pub output_tokens: Option<u64>,
    /// Tokens of reasoning that is not shown: part of the completion tokens at most providers, beside them at some.
    pub reasoning_tokens: Option<u64>,
    /// All of them together.
    pub total_tokens: Option<u64>,
    /// What the provider says that the answer cost, in micro-dollars.
    pub cost: Option<u64>,
}

impl From<Usage> for Reported {
    fn from(usage: Usage) -> Self {
        Self {
            input_tokens: Some(usage.input_tokens),
            cached_input_tokens: Some(usage.cached_input_tokens),
            written_tokens: None,
            output_tokens: Some(usage.output_tokens),
            reasoning_tokens: None,
            total_tokens: None,
            cost: None,
        }
    }
}

impl Price {
    /// What an answer is booked at: its [`booked`](Self::booked) tokens by this price, or what the provider says that it cost where that is
    /// more. A price that a job states may be out of date.
    ///
    /// Where the job states what cache writes cost and the report does not say how many there were, all that was not read from the cache
    /// counts as written to it.
    pub fn bill(self, booked: Usage, response: &Response) -> Amount {
        let dearer = self.cache_write.filter(|write| *write > self.input);
        let input = dearer
            .filter(|_| response.usage.written_tokens.is_none())
            .unwrap_or(self.input);
        let by_tokens = Self { input, ..self }.cost(booked);
        let said = MicroUsd(response.usage.cost.unwrap_or(0));
        Amount {
            usd: by_tokens.usd.max(said),
            ..by_tokens
        }
    }

    /// The tokens that an answer is booked at.
    ///
    /// | the report | is booked |
    /// |---|---|
    /// | reasoning that the completion tokens cannot hold beside the text | reasoning and completion tokens together |
    /// | a total above its parts | the rest too, at the dearer price |
    /// | a total below its parts | the parts |
    /// | more cached than prompt tokens | both, none of them as cached |
    /// | fewer tokens than the prompt or the reply can have | that side's worst case |
    /// | nothing but a limit that was reached, in fewer tokens than the limit | that side's worst case |
    /// | no number | that side's worst case |
    pub fn booked(self, request: &Request, response: &Response) -> Usage {
        let said = response.usage;
        let worst = Self::worst_usage(request);
        let input = said
            .input_tokens
            .or_else(|| said.total_tokens?.checked_sub(said.output_tokens?));
        let output = said
            .output_tokens
            .or_else(|| said.total_tokens?.checked_sub(said.input_tokens?));
        let input = input.map(|input| input.max(beyond_the_cache(input, said)));
        let output = output.map(|output| with_reasoning(output, said, response));
        let (mut input, mut output) = self.with_the_total(input, output, said);
        if input.is_none_or(|input| input < least_of_prompt(&request.prompt)) {
            input = Some(input.unwrap_or(0).max(worst.input_tokens));
        }
        if output.is_none_or(|output| output < least_of_reply(request, response)) {
            let hidden = said.reasoning_tokens.unwrap_or(0);
            output = Some(output.unwrap_or(hidden).max(worst.output_tokens));
        }
        let input_tokens = input.unwrap_or(worst.input_tokens);
        let cached = match said.cached_input_tokens {
            Some(cached) if said.input_tokens.is_some_and(|input| cached <= input) => cached,
            // Nobody knows: the dearer of the two prices.
            _ if self.cached_input > self.input => input_tokens,
            _ => 0,
        };
        Usage {
            input_tokens,
            cached_input_tokens: cached,
            output_tokens: output.unwrap_or(worst.output_tokens),
        }
    }

    /// What a total holds beyond the two parts goes to the dearer one.
    fn with_the_total(
        self,
        input: Option<u64>,
        output: Option<u64>,
        said: Reported,
    ) -> (Option<u64>, Option<u64>) {
        let (Some(total), Some(input), Some(output)) = (said.total_tokens, input, output) else {
            return (input, output);
        };
        // Against the prompt tokens as they were reported: what was added to them for the cache explains nothing of the total.
        let reported = said.input_tokens.unwrap_or(input);
        let rest = total.saturating_sub(reported.saturating_add(output));
        if self.input > self.output {
            (Some(input.saturating_add(rest)), Some(output))
        } else {
            (Some(input), Some(output.saturating_add(rest)))
        }
    }
}

/// The prompt tokens, where those from the cache cannot be among them.
fn beyond_the_cache(input: u64, said: Reported) -> u64 {
    match said.cached_input_tokens {
        Some(cached) if cached > input => input.saturating_add(cached),
        _ => input,
    }
}

/// The completion tokens, with the reasoning where it cannot be among them.
fn with_reasoning(output: u64, said: Reported, response: &Response) -> u64 {
    let hidden = said.reasoning_tokens.unwrap_or(0);
    match output.checked_sub(hidden) {
        Some(shown) if shown >= least_tokens(&response.text) => output,
        _ => output.saturating_add(hidden),
    }
}

fn least_of_prompt(prompt: &Prompt) -> u64 {
    match prompt {
        Prompt::Chat(messages) => messages
            .iter()
            .map(|message| least_tokens(&message.content))
            .sum(),
        Prompt::Raw(text) => least_tokens(text),
    }
}

fn least_of_reply(request: &Request, response: &Response) -> u64 {
    let seen = least_tokens(&response.text) + least_tokens(&response.thinking);
    if response.finish == Finish::Length && seen == 0 {
        request.max_tokens.into()
    } else {
        seen
    }
}

/// Fewest tokens that a text can have in any usual vocabulary.
///
/// Byte-pair vocabularies do not merge across words, and split digits into groups of three at most. Half of the words is a bound with much
/// room (English takes about 1.3 tokens a word), for vocabularies that do merge some; a letter of a script without spaces counts a quarter
/// (usual are 0.7 to 1.5 tokens), and a text that is not empty has at least one token.
fn least_tokens(text: &str) -> u64 {
    let (mut words, mut letters) = (0_u64, 0_u64);
    let mut run = Run::None;
    for c in text.chars() {
        // Prompts are long and mostly ASCII, whose classes need no table.
        let (digit, alphabetic) = match c {
            '0'..='9' => (true, false),
            '\0'..='\x7f' => (false, c.is_ascii_alphabetic()),
            _ => (c.is_numeric(), c.is_alphabetic()),
        };
        let next = if digit {
            match run {
                Run::Digits(place) if place < 2 => Run::Digits(place + 1),
                _ => Run::Digits(0),
            }
        } else if c >= '\u{0e00}' && alphabetic && !is_spaced(c) {
            letters += 1;
            Run::None
        } else if alphabetic || (run == Run::Word && is_mark(c)) {
            Run::Word
        } else {
            Run::None
        };
        let begins = match next {
            Run::Word => run != Run::Word,
            Run::Digits(place) => place == 0,
            Run::None => false,
        };
        words += u64::from(begins);
        run = next;
    }
    (words / 2 + letters / 4).max(u64::from(!text.trim().is_empty()))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Run {
    None,
    Word,
    /// The place of a digit in its group of three, from 0.
    Digits(u8),
}

/// Scripts above Thai that put spaces between words: Georgian, Ethiopic, Cherokee, Latin and Greek with marks, Hangul.
fn is_spaced(c: char) -> bool {
    matches!(c, '\u{10a0}'..='\u{10ff}' | '\u{1100}'..='\u{13ff}' | '\u{1c80}'..='\u{1fff}' | '\u{ac00}'..='\u{d7ff}')
}

/// Combining marks belong to their word.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{0300}'..='\u{036f}' | '\u{0591}'..='\u{05c7}' | '\u{064b}'..='\u{065f}' | '\u{0900}'..='\u{0dff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::chat::{Message, Role};

    const PRICE: Price = Price {
        input: 150_000,
        cached_input: 75_000,
        output: 600_000,
        cache_write: None,
    };

    fn request() -> Request {
        Request {
            prompt: Prompt::Chat(vec![Message {
                role: Role::User,
                content: "Nora has 723 pens and buys as many again. How many does she have?".into(),
            }]),
            max_tokens: 1_024,
            temperature: 0.0,
            top_p: 1.0,
            seed: 0,
            stop: vec![],
            schema: None,
        }
    }

    fn response(text: &str, usage: Reported) -> Response {
        Response {
            text: text.into(),
            thinking: String::new(),
            finish: Finish::Stop,
            usage,
            model_version: "m".into(),
        }
    }

    const TEXT: &str = "Adding 723 and 723 gives 1446.\nAnswer: 1446";

    fn reported(input: u64, output: u64) -> Reported {
        Reported {
            input_tokens: Some(input),
            output_tokens: Some(output),
            ..Reported::default()
        }
    }

    fn tokens(usage: Reported) -> (u64, u64, u64) {
        let booked = PRICE.booked(&request(), &response(TEXT, usage));
        (
            booked.input_tokens,
            booked.cached_input_tokens,
            booked.output_tokens,
        )
    }

    #[test]
    fn a_cost_that_the_provider_states_is_never_believed_downwards() {
        let bill = |cost| {
            let usage = Reported {
                cost,
                ..reported(223, 45)
            };
            let response = response(TEXT, usage);
            PRICE.bill(PRICE.booked(&request(), &response), &response).usd.0
        };
        let by_tokens = bill(None);
        assert!(by_tokens > 0);
        assert_eq!((bill(Some(0)), bill(Some(by_tokens - 1))), (by_tokens, by_tokens));
        assert_eq!(bill(Some(10_000)), 10_000);
    }

    #[test]
    fn cache_writes_cost_what_the_job_states() {
        let bill = |cache_write, written_tokens, cached_input_tokens| {
            let price = Price { cache_write, ..PRICE };
            let usage = Reported {
                written_tokens,
                cached_input_tokens,
                ..reported(200, 45)
            };
            let response = response(TEXT, usage);
            price.bill(price.booked(&request(), &response), &response).usd.0
        };
        let plain = bill(None, None, None);
        assert_eq!(plain, (200 * 150_000 + 45 * 600_000_u64).div_ceil(1_000_000));
        let unsaid = bill(Some(300_000), None, None);
        assert_eq!(unsaid, (200 * 300_000 + 45 * 600_000_u64).div_ceil(1_000_000));
        let partly = bill(Some(300_000), None, Some(100));
        assert_eq!(
            partly,
            (100 * 300_000 + 100 * 75_000 + 45 * 600_000_u64).div_ceil(1_000_000)
        );
        assert_eq!(
            bill(Some(300_000), Some(0), None),
            plain,
            "the report says that none was written"
        );
        assert_eq!(
            bill(Some(1), None, None),
            plain,
            "never less than other prompt tokens"
        );
    }

    #[test]
    fn a_report_in_order_is_booked_as_it_is() {
        assert_eq!(tokens(reported(223, 45)), (223, 0, 45));
        let whole = Reported {
            cached_input_tokens: Some(128),
            reasoning_tokens: Some(20),
            total_tokens: Some(268),
            ..reported(223, 45)
        };
        assert_eq!(tokens(whole), (223, 128, 45), "the reasoning is part of the 45");
    }

    #[test]
    fn contradictions_are_booked_in_the_dearer_direction() {
        let apart = Reported {
            reasoning_tokens: Some(300),
            total_tokens: Some(568),
            ..reported(223, 45)
        };
        assert_eq!(tokens(apart), (223, 0, 345));
        let untold = Reported {
            reasoning_tokens: None,
            ..apart
        };
        assert_eq!(tokens(untold), (223, 0, 345), "only the total holds it");
        let no_total = Reported {
            total_tokens: None,
            ..apart
        };
        assert_eq!(tokens(no_total), (223, 0, 345), "300 are no part of 45");
        let filled = Reported {
            reasoning_tokens: Some(44),
            ..reported(223, 45)
        };
        assert_eq!(tokens(filled), (223, 0, 89), "one token is too few for the text");
        let low_total = Reported {
            total_tokens: Some(100),
            ..reported(223, 45)
        };
        assert_eq!(tokens(low_total), (223, 0, 45));
        let over_cached = Reported {
            cached_input_tokens: Some(500),
            ..reported(223, 45)
        };
        assert_eq!(tokens(over_cached), (723, 0, 45));
        let dear_input = Price {
            input: 900_000,
            ..PRICE
        };
        let booked = dear_input.booked(&request(), &response(TEXT, apart));
        assert_eq!((booked.input_tokens, booked.output_tokens), (223, 345));
        let booked = dear_input.booked(&request(), &response(TEXT, untold));
        assert_eq!((booked.input_tokens, booked.output_tokens), (523, 45));
    }

    #[test]
    fn what_is_unknown_or_impossible_is_booked_at_its_worst_case() {
        let worst = Price::worst_usage(&request());
        let (w_in, w_out) = (worst.input_tokens, worst.output_tokens);
        assert_eq!(tokens(Reported::default()), (w_in, 0, w_out));
        let only_input = Reported {
            input_tokens: Some(223),
            ..Reported::default()
        };
        assert_eq!(tokens(only_input), (223, 0, w_out));
        let derived = Reported {
            total_tokens: Some(268),
            ..only_input
        };
        assert_eq!(tokens(derived), (223, 0, 45), "the total says the rest");
        assert_eq!(tokens(reported(223, 0)), (223, 0, w_out), "there is a text");
        assert_eq!(
            tokens(reported(223, 2)),
            (223, 0, w_out),
            "nine words in two tokens"
        );
        assert_eq!(tokens(reported(0, 45)), (w_in, 0, 45));
        assert_eq!(
            tokens(reported(3, 45)),
            (w_in, 0, 45),
            "fewer than the prompt's words"
        );
        let much = Reported {
            output_tokens: None,
            reasoning_tokens: Some(5_000),
            ..reported(223, 0)
        };
        assert_eq!(tokens(much), (223, 0, 5_000), "more than the limit was used");
    }

    #[test]
    fn a_limit_reached_with_nothing_to_show_costs_the_limit() {
        let mut empty = response("", reported(223, 0));
        empty.finish = Finish::Length;
        assert_eq!(PRICE.booked(&request(), &empty).output_tokens, 1_024);
        empty.usage.output_tokens = Some(1_024);
        assert_eq!(PRICE.booked(&request(), &empty).output_tokens, 1_024);
        empty.finish = Finish::Stop;
        empty.usage.output_tokens = Some(0);
        assert_eq!(
            PRICE.booked(&request(), &empty).output_tokens,
            0,
            "nothing was said"
        );
        empty.thinking = "First I add the numbers, then I check the sum again.".into();
        assert_eq!(PRICE.booked(&request(), &empty).output_tokens, 1_024);
    }

    #[test]
    fn least_tokens_stay_below_what_vocabularies_need() {
        assert_eq!(least_tokens(""), 0);
        assert_eq!(least_tokens(" \n"), 0);
        assert_eq!(least_tokens("…"), 1);
        assert_eq!(least_tokens("Paris"), 1);
        // 9 words, 10 of which GPT-4's vocabulary makes 12 tokens.
        assert_eq!(least_tokens("The pump draws it from the well every day."), 4);
        assert_eq!(least_tokens("1234567"), 1, "three groups");
        assert_eq!(least_tokens("小明有37个苹果，他又买了41个苹果"), 4);
        assert_eq!(least_tokens("안녕하세요 세계"), 1);
        assert_eq!(least_tokens("= = = ----------------"), 1);
    }

    fn count() -> impl Strategy<Value = Option<u64>> {
        prop::option::of(prop_oneof![0_u64..600, Just(1 << 40)])
    }

    proptest! {
        /// No reading of a report is dearer than what is booked: parts and total, with the reasoning among the completion tokens or beside
        /// them where it does not fit.
        #[test]
        fn no_reading_costs_more(
            input_tokens in count(), cached_input_tokens in count(), output_tokens in count(), reasoning_tokens in count(),
            total_tokens in count(), text in "[a-z0-9 ]{0,120}", dear_input: bool,
        ) {
            let usage = Reported { input_tokens, cached_input_tokens, output_tokens, reasoning_tokens, total_tokens, cost: None, written_tokens: None };
            let price = if dear_input { Price { input: 900_000, ..PRICE } } else { PRICE };
            let response = response(&text, usage);
            let booked = price.booked(&request(), &response);
            let cost = price.cost(booked).usd;
            let (input, output) = (input_tokens.unwrap_or(0), output_tokens.unwrap_or(0));
            let hidden = reasoning_tokens.unwrap_or(0);
            let beside = if hidden > output { output + hidden } else { output };
            let cached = cached_input_tokens.unwrap_or(0).min(input);
            let reading = |output_tokens| price.cost(Usage { input_tokens: input, cached_input_tokens: cached, output_tokens }).usd;
            prop_assert!(cost >= reading(output));
            prop_assert!(cost >= reading(beside));
            if let (Some(total), Some(input), Some(_)) = (total_tokens, input_tokens, output_tokens) {
                prop_assert!(cost >= reading(total.saturating_sub(input)));
            }
            prop_assert!(booked.cached_input_tokens <= booked.input_tokens);
            // Free of charge is only what was neither sent nor received.
            prop_assert!(booked.input_tokens > 0);
            prop_assert!(booked.output_tokens > 0 || text.trim().is_empty());
        }
    }
}
