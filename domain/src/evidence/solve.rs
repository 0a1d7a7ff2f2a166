//! The cheapest decision table that is right often enough.
//!
//! A table's price is what a right row costs in the long run: the questions given up are paid for by those that are kept. For a
//! value V of a right row and a penalty λ for a wrong one, backward induction over the situations finds the table that is worth
//! most. Dinkelbach's iteration (1967, "On nonlinear fractional programming") finds the V at which a fresh question is worth
//! just what it costs, which is the price; bisection finds the least λ at which accepted rows meet the target.

use std::collections::HashMap;

use super::fit::Fit;
use super::odds::{Odds, next_judged, next_verified, next_votes};
use super::situation::{Action, Situation};
use super::terms::{JudgeUse, Terms, answerable, roots};
use super::walk::Walk;

/// Searches of the penalty; each halves the interval of its logarithm.
const SEARCHES: u32 = 18;
/// Bounds of the penalty, in costs of an answer.
const PENALTY: (f64, f64) = (1e-2, 1e7);
/// Iterations after which Dinkelbach's method has long converged.
const ITERATIONS: u32 = 24;

struct Node {
    situation: Situation,
    /// Chance that the leader is right.
    right: f64,
    /// What each step may lead to, with its chance; nothing where it may not be taken.
    draw: Vec<(f64, usize)>,
    verify: Vec<(f64, usize)>,
    judge: Vec<(f64, usize)>,
}

/// What is expected from a situation on.
#[derive(Debug, Clone, Copy, Default)]
struct Value {
    worth: f64,
    right: f64,
    wrong: f64,
    cost: f64,
    action: Option<Action>,
}

/// All situations that can come up, children before parents.
pub(super) struct Game<'a> {
    fit: &'a Fit,
    terms: &'a Terms,
    nodes: Vec<Node>,
    numbers: HashMap<Situation, usize>,
}

/// A solved table: an action for each situation that can come up under it.
pub(super) type Table = Vec<(Situation, Action)>;

impl<'a> Game<'a> {
    pub(super) fn new(fit: &'a Fit, terms: &'a Terms) -> Self {
        let mut game = Self {
            fit,
            terms,
            nodes: Vec::new(),
            numbers: HashMap::new(),
        };
        // A seed's own question needs no verification.
        game.number(answerable());
        game.number(Situation::default());
        game
    }

    fn number(&mut self, situation: Situation) -> usize {
        if let Some(number) = self.numbers.get(&situation) {
            return *number;
        }
        let most = self.terms.max_samples;
        let draws = situation.drawn() < most;
        let verifies = self.terms.verify && situation.verified.is_none();
        let judges = self.terms.judge.is_some() && situation.judged.is_none() && situation.drawn() > 0;
        let fit = self.fit;
        let draw = draws.then(|| next_votes(fit, &situation));
        let verify = verifies.then(|| next_verified(fit, &situation, most));
        let judge = judges.then(|| next_judged(fit, &situation));
        let [draw, verify, judge] = [draw, verify, judge].map(|outcomes| {
            let outcomes = outcomes.unwrap_or_default().into_iter();
            outcomes
                .map(|(chance, next)| (chance, self.number(next)))
                .collect()
        });
        let number = self.nodes.len();
        self.numbers.insert(situation.clone(), number);
        self.nodes.push(Node {
            right: Odds::of(fit, &situation).right(),
            situation,
            draw,
            verify,
            judge,
        });
        number
    }

    /// The cheapest table whose accepted rows are right as often as the target says; where that is out of reach, the most accurate one
    /// within [`BEARABLE_PRICE`]. `whole` is all that the teacher may be.
    pub(super) fn solve(&self, whole: &Fit) -> Table {
        let accuracy = |value: &Value| value.right / (value.right + value.wrong).max(f64::MIN_POSITIVE);
        let answer = self.terms.costs.answer.max(f64::MIN_POSITIVE);
        let at = |log: f64| self.best(log.exp() * answer);
        let target = 1.0 - AIM * (1.0 - self.terms.target);
        let free = self.best(0.0);
        if accuracy(&start(&free)) >= target {
            return self.careful(PENALTY.0.ln(), target, whole);
        }
        // The penalties around the one from which tables are as a test says.
        let search = |test: &dyn Fn(&Value) -> bool| {
            let (mut low, mut high) = (PENALTY.0.ln(), PENALTY.1.ln());
            for _ in 0..SEARCHES {
                let middle = f64::midpoint(low, high);
                if test(&start(&at(middle))) {
                    high = middle;
                } else {
                    low = middle;
                }
            }
            (low, high)
        };
        // Accuracy is bought as long as a row costs no more than a few that nobody checked, unless the job cannot do without.
        let bearable = BEARABLE_PRICE * self.price(&start(&free));
        let dear = |value: &Value| self.price(value) > bearable;
        let right = |value: &Value| accuracy(value) >= target;
        if right(&start(&at(PENALTY.1.ln()))) {
            let penalty = search(&right).1;
            if self.terms.required || !dear(&start(&at(penalty))) {
                return self.careful(penalty, target, whole);
            }
        }
        self.table(&at(search(&dear).0))
    }

    /// A table that is right as often as is aimed at under everything that the teacher may be, from the penalty at which one is under
    /// the likeliest; or what comes closest for [`CAREFUL_PRICE`]. Of a teacher that little is known of, it would ask for far too much.
    fn careful(&self, penalty: f64, target: f64, whole: &Fit) -> Table {
        let answer = self.terms.costs.answer.max(f64::MIN_POSITIVE);
        let at = |log: f64| self.best(log.exp() * answer);
        let values = at(penalty);
        let most = CAREFUL_PRICE * self.price(&start(&values));
        let dear = |values: &[Value]| self.price(&start(values)) > most;
        let right = |values: &[Value]| {
            let action = |at: &Situation| values[*self.numbers.get(at)?].action;
            Walk::of(whole, self.terms.max_samples, action).accuracy() >= target
        };
        if right(&values) {
            return self.table(&values);
        }
        let (mut low, mut high) = (penalty, PENALTY.1.ln());
        for _ in 0..SEARCHES {
            let middle = f64::midpoint(low, high);
            let values = at(middle);
            if dear(&values) || right(&values) {
                high = middle;
            } else {
                low = middle;
            }
        }
        let found = at(high);
        self.table(&if dear(&found) { at(low) } else { found })
    }

    /// What a right row costs, the question included.
    fn price(&self, start: &Value) -> f64 {
        (self.fresh() + start.cost) / start.right.max(f64::MIN_POSITIVE)
    }

    /// What a question costs that comes to be answered.
    fn fresh(&self) -> f64 {
        self.terms.costs.ask / self.fit.reached
    }

    /// The table that is worth most for a penalty, at the value of a right row that it earns.
    fn best(&self, penalty: f64) -> Vec<Value> {
        let mut price = 1e4 * (self.fresh() + self.terms.costs.answer) + penalty;
        let mut values = self.induce(price, penalty);
        for _ in 0..ITERATIONS {
            let first = start(&values);
            if first.right <= 0.0 {
                break;
            }
            let next = (self.fresh() + first.cost + penalty * first.wrong) / first.right;
            if (next - price).abs() <= 1e-7 * price {
                break;
            }
            price = next;
            let better = self.induce(price, penalty);
            // Rounding may make the last table reject everything: it is worth nothing, like the one before.
            if start(&better).right <= 0.0 {
                break;
            }
            values = better;
        }
        let kept = self.induce(KEEP * price, penalty);
        if start(&kept).right > 0.0 { kept } else { values }
    }

    fn induce(&self, value: f64, penalty: f64) -> Vec<Value> {
        let costs = &self.terms.costs;
        let draw_cost = costs.answer / self.fit.usable;
        // The first answer to a new question may have come with it.
        let first_cost = draw_cost * (1.0 - self.fit.answered);
        let mut values: Vec<Value> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let mut best = Value {
                action: Some(Action::Reject),
                ..Value::default()
            };
            let mut take = |other: Value| {
                if other.worth > best.worth {
                    best = other;
                }
            };
            if node.right >= LIKELIER_RIGHT && self.acceptable(&node.situation) {
                take(Value {
                    worth: value * node.right - penalty * (1.0 - node.right),
                    right: node.right,
                    wrong: 1.0 - node.right,
                    cost: 0.0,
                    action: Some(Action::Accept),
                });
            }
            let draw_cost = match node.situation.drawn() {
                0 => first_cost,
                _ => draw_cost,
            };
            let steps = [
                (&node.draw, draw_cost, Action::Draw),
                (&node.verify, costs.verify, Action::Verify),
                (&node.judge, costs.judge, Action::Judge),
            ];
            for (outcomes, cost, action) in steps {
                if !outcomes.is_empty() {
                    take(expect(&values, outcomes, cost, action));
                }
            }
            values.push(best);
        }
        values
    }

    fn acceptable(&self, situation: &Situation) -> bool {
        let leads = match situation.votes.as_slice() {
            [] => false,
            [_] => true,
            [first, second, ..] => first > second,
        };
        leads && (self.terms.judge != Some(JudgeUse::Always) || situation.judged.is_some())
    }

    /// The situations that come up under the values' actions, in the order in which they are met.
    fn table(&self, values: &[Value]) -> Table {
        let mut table = Table::new();
        let mut open: Vec<usize> = roots(self.terms)
            .iter()
            .filter_map(|root| self.numbers.get(root).copied())
            .collect();
        let mut met = vec![false; self.nodes.len()];
        while let Some(number) = open.pop() {
            if std::mem::replace(&mut met[number], true) {
                continue;
            }
            let node = &self.nodes[number];
            let action = values[number].action.unwrap_or(Action::Reject);
            table.push((node.situation.clone(), action));
            let outcomes = match action {
                Action::Draw => &node.draw[..],
                Action::Verify => &node.verify,
                Action::Judge => &node.judge,
                Action::Accept | Action::Reject => &[],
            };
            open.extend(outcomes.iter().map(|(_, next)| *next));
        }
        table.sort_by(|a, b| (a.0.drawn(), &a.0).cmp(&(b.0.drawn(), &b.0)));
        table
    }
}

/// Share of the errors that the target allows which a table aims at: the rest is for what the model does not see.
const AIM: f64 = 0.9;
/// How much more a right row is worth than it costs. At its bare price a table gives up every question that is harder than the others, and
/// only easy ones are left in the data; near the optimum, keeping them hardly changes the price.
const KEEP: f64 = 1.5;
/// A row that is likelier wrong than right is not kept, however far out of reach the target is.
const LIKELIER_RIGHT: f64 = 0.5;
/// How many times the price that the likeliest teacher asks for is paid for what else the teacher may be.
const CAREFUL_PRICE: f64 = 1.15;
/// How many times the price of unchecked rows a row may cost: beyond it, the target is out of reach.
const BEARABLE_PRICE: f64 = 8.0;

fn start(values: &[Value]) -> Value {
    values.last().copied().unwrap_or_default()
}

fn expect(values: &[Value], outcomes: &[(f64, usize)], cost: f64, action: Action) -> Value {
    let mut sum = Value {
        worth: -cost,
        cost,
        action: Some(action),
        ..Value::default()
    };
    for (chance, next) in outcomes {
        let value = &values[*next];
        sum.worth += chance * value.worth;
        sum.right += chance * value.right;
        sum.wrong += chance * value.wrong;
        sum.cost += chance * value.cost;
    }
    sum
}
