//! The stories that word problems are made of.

/// A family of problems: one story, any names, things and numbers.
pub(crate) struct Family {
    pub(crate) concept: &'static str,
    pub(crate) text: &'static str,
    /// First, last and step of each number slot a, b, c, …
    pub(crate) ranges: &'static [(i64, i64, i64)],
    /// Answer and the steps that lead there.
    pub(crate) solve: fn(&[i64]) -> (i64, String),
}

pub(crate) const FAMILIES: [Family; 24] = [
    Family {
        concept: "money",
        text: "{n} picks up {a} {o} at a market stall, and each one is marked at {b} dollars. The seller hands back {c} dollars because some {o} are bruised. How many dollars did {n} pay in the end?",
        ranges: &[(6, 48, 1), (3, 19, 1), (2, 15, 1)],
        solve: |v| {
            (
                v[0] * v[1] - v[2],
                format!(
                    "The goods come to {} x {} = {} dollars. With {} dollars handed back, {} - {} = {}.",
                    v[0],
                    v[1],
                    v[0] * v[1],
                    v[2],
                    v[0] * v[1],
                    v[2],
                    v[0] * v[1] - v[2]
                ),
            )
        },
    },
    Family {
        concept: "rates",
        text: "A workshop run by {n} turns out {a} {o} an hour. It works {b} hours on Monday and {c} hours on Tuesday. How many {o} leave the workshop on the two days?",
        ranges: &[(12, 96, 1), (3, 9, 1), (2, 8, 1)],
        solve: |v| {
            (
                v[0] * (v[1] + v[2]),
                format!(
                    "Hours worked are {} + {} = {}. Output is {} x {} = {}.",
                    v[1],
                    v[2],
                    v[1] + v[2],
                    v[0],
                    v[1] + v[2],
                    v[0] * (v[1] + v[2])
                ),
            )
        },
    },
    Family {
        concept: "sharing",
        text: "{n} and {m} share {a} {o} so that {m} ends up with {b} more than {n}. How many {o} does {m} hold?",
        ranges: &[(60, 240, 2), (4, 40, 2)],
        solve: |v| {
            (
                (v[0] + v[1]) / 2,
                format!(
                    "Without the extra {} they would split {} - {} = {} evenly, {} for each. The larger share is {} + {} = {}.",
                    v[1],
                    v[0],
                    v[1],
                    v[0] - v[1],
                    (v[0] - v[1]) / 2,
                    (v[0] - v[1]) / 2,
                    v[1],
                    (v[0] + v[1]) / 2
                ),
            )
        },
    },
    Family {
        concept: "percentages",
        text: "A crate holds {a} {o}. On inspection {n} throws away {b} percent of them and puts {c} fresh ones in. How many {o} lie in the crate now?",
        ranges: &[(200, 1800, 100), (3, 45, 1), (5, 60, 1)],
        solve: |v| {
            (
                v[0] - v[0] * v[1] / 100 + v[2],
                format!(
                    "{} percent of {} is {}. That leaves {}, and with {} fresh ones {}.",
                    v[1],
                    v[0],
                    v[0] * v[1] / 100,
                    v[0] - v[0] * v[1] / 100,
                    v[2],
                    v[0] - v[0] * v[1] / 100 + v[2]
                ),
            )
        },
    },
    Family {
        concept: "geometry",
        text: "{n} fences a rectangular plot that measures {a} meters by {b} meters, leaving a gate of {c} meters open. How many meters of fence does {n} put up?",
        ranges: &[(14, 80, 1), (9, 60, 1), (2, 6, 1)],
        solve: |v| {
            (
                2 * (v[0] + v[1]) - v[2],
                format!(
                    "The way around is 2 x ({} + {}) = {}. Minus the gate of {} it is {}.",
                    v[0],
                    v[1],
                    2 * (v[0] + v[1]),
                    v[2],
                    2 * (v[0] + v[1]) - v[2]
                ),
            )
        },
    },
    Family {
        concept: "ages",
        text: "{n} is {a} years younger than {m}. In {b} years {m} turns {c}. What age is {n} today?",
        ranges: &[(2, 18, 1), (3, 15, 1), (40, 80, 1)],
        solve: |v| {
            (
                v[2] - v[1] - v[0],
                format!(
                    "Today the elder is {} - {} = {}. The younger is {} - {} = {}.",
                    v[2],
                    v[1],
                    v[2] - v[1],
                    v[2] - v[1],
                    v[0],
                    v[2] - v[1] - v[0]
                ),
            )
        },
    },
    Family {
        concept: "distance",
        text: "{n} cycles at {a} kilometers an hour for {b} hours, rests, and then walks {c} kilometers to a hut. How far from the first gate is the hut, in kilometers?",
        ranges: &[(11, 29, 1), (2, 7, 1), (3, 14, 1)],
        solve: |v| {
            (
                v[0] * v[1] + v[2],
                format!(
                    "Cycling covers {} x {} = {}. With the walk that is {} + {} = {}.",
                    v[0],
                    v[1],
                    v[0] * v[1],
                    v[0] * v[1],
                    v[2],
                    v[0] * v[1] + v[2]
                ),
            )
        },
    },
    Family {
        concept: "division",
        text: "{n} packs {a} {o} into cartons of 6 and stacks the cartons on {b} shelves; {c} cartons do not fit. How many cartons are on the shelves?",
        ranges: &[(240, 960, 6), (3, 9, 1), (2, 12, 1)],
        solve: |v| {
            (
                v[0] / 6 - v[2],
                format!(
                    "There are {} / 6 = {} cartons. {} do not fit, so {} - {} = {} stand there.",
                    v[0],
                    v[0] / 6,
                    v[2],
                    v[0] / 6,
                    v[2],
                    v[0] / 6 - v[2]
                ),
            )
        },
    },
    Family {
        concept: "inventory",
        text: "On Sunday night a depot counts {a} {o}. Over five workdays {b} go out and {c} come in on every workday. How many {o} does {n} count on Friday night?",
        ranges: &[(500, 1500, 1), (20, 70, 1), (5, 60, 1)],
        solve: |v| {
            (
                v[0] + 5 * (v[2] - v[1]),
                format!(
                    "Each workday changes the count by {} - {} = {}. Five of them make {}, so {} remain.",
                    v[2],
                    v[1],
                    v[2] - v[1],
                    5 * (v[2] - v[1]),
                    v[0] + 5 * (v[2] - v[1])
                ),
            )
        },
    },
    Family {
        concept: "wages",
        text: "{n} tends bees for {a} dollars an hour, and for {b} dollars an hour at night. This month {n} logged {c} daylight hours and {d} night hours. How many dollars are due?",
        ranges: &[(11, 25, 1), (16, 36, 1), (20, 90, 1), (4, 30, 1)],
        solve: |v| {
            (
                v[0] * v[2] + v[1] * v[3],
                format!(
                    "Daylight pays {} x {} = {}. Night pays {} x {} = {}. Due are {}.",
                    v[0],
                    v[2],
                    v[0] * v[2],
                    v[1],
                    v[3],
                    v[1] * v[3],
                    v[0] * v[2] + v[1] * v[3]
                ),
            )
        },
    },
    Family {
        concept: "comparison",
        text: "{n} collected {a} {o}, three times what {m} found. A cousin found {b} beyond that of {m}. How many {o} did the cousin find?",
        ranges: &[(90, 360, 3), (4, 50, 1)],
        solve: |v| {
            (
                v[0] / 3 + v[1],
                format!(
                    "A third of {} is {}. The cousin has {} + {} = {}.",
                    v[0],
                    v[0] / 3,
                    v[0] / 3,
                    v[1],
                    v[0] / 3 + v[1]
                ),
            )
        },
    },
    Family {
        concept: "fractions",
        text: "One quarter of the {a} {o} in a hall belong to {n}, who gives {b} of hers away. How many {o} does she keep?",
        ranges: &[(120, 480, 4), (3, 28, 1)],
        solve: |v| {
            (
                v[0] / 4 - v[1],
                format!(
                    "A quarter of {} is {}. After the gift {} - {} = {} are kept.",
                    v[0],
                    v[0] / 4,
                    v[0] / 4,
                    v[1],
                    v[0] / 4 - v[1]
                ),
            )
        },
    },
    Family {
        concept: "area",
        text: "A wall is {a} feet high and {b} feet wide, with {c} windows of 12 square feet. {n} paints all but the windows. How many square feet get painted?",
        ranges: &[(9, 20, 1), (15, 60, 1), (2, 8, 1)],
        solve: |v| {
            (
                v[0] * v[1] - 12 * v[2],
                format!(
                    "The wall has {} x {} = {} square feet, its windows 12 x {} = {}. Painted are {}.",
                    v[0],
                    v[1],
                    v[0] * v[1],
                    v[2],
                    12 * v[2],
                    v[0] * v[1] - 12 * v[2]
                ),
            )
        },
    },
    Family {
        concept: "time",
        text: "A kiln needs {a} minutes to heat up and {b} minutes for a batch of {o}. {n} fires {c} batches without letting it cool. After how many minutes is the last batch ready?",
        ranges: &[(15, 60, 1), (12, 55, 1), (3, 11, 1)],
        solve: |v| {
            (
                v[0] + v[1] * v[2],
                format!(
                    "The batches take {} x {} = {} minutes. With heating that is {} + {} = {}.",
                    v[1],
                    v[2],
                    v[1] * v[2],
                    v[0],
                    v[1] * v[2],
                    v[0] + v[1] * v[2]
                ),
            )
        },
    },
    Family {
        concept: "savings",
        text: "{n} keeps {a} dollars in a tin, adds {b} dollars on each of {c} Saturdays, and takes {d} dollars out for a lamp. What sum in dollars lies in the tin?",
        ranges: &[(80, 400, 1), (5, 35, 1), (4, 16, 1), (11, 75, 1)],
        solve: |v| {
            (
                v[0] + v[1] * v[2] - v[3],
                format!(
                    "Saturdays bring {} x {} = {}. The tin holds {} + {} - {} = {}.",
                    v[1],
                    v[2],
                    v[1] * v[2],
                    v[0],
                    v[1] * v[2],
                    v[3],
                    v[0] + v[1] * v[2] - v[3]
                ),
            )
        },
    },
    Family {
        concept: "mixtures",
        text: "A cook named {n} stirs {a} grams of rye flour and {b} grams of wheat flour into a dough, bakes it in {c} equal tins, and repeats this {d} times. How many grams of flour go in overall?",
        ranges: &[(120, 900, 10), (150, 950, 10), (2, 6, 1), (3, 9, 1)],
        solve: |v| {
            (
                (v[0] + v[1]) * v[3],
                format!(
                    "A dough has {} + {} = {} grams. {} of them use {}.",
                    v[0],
                    v[1],
                    v[0] + v[1],
                    v[3],
                    (v[0] + v[1]) * v[3]
                ),
            )
        },
    },
    Family {
        concept: "seating",
        text: "A theater has {a} rows of {b} seats. For a recital {c} seats stay roped off and {d} guests of {n} fail to come; every other seat is taken. How many seats are taken?",
        ranges: &[(12, 40, 1), (14, 36, 1), (5, 40, 1), (3, 60, 1)],
        solve: |v| {
            (
                v[0] * v[1] - v[2] - v[3],
                format!(
                    "There are {} x {} = {} seats. Taken are {} - {} - {} = {}.",
                    v[0],
                    v[1],
                    v[0] * v[1],
                    v[0] * v[1],
                    v[2],
                    v[3],
                    v[0] * v[1] - v[2] - v[3]
                ),
            )
        },
    },
    Family {
        concept: "discounts",
        text: "A dealer lists a stove at {a} dollars and takes {b} percent off for {n}, who adds a pipe for {c} dollars. What does {n} owe in dollars?",
        ranges: &[(200, 1500, 100), (5, 40, 1), (18, 95, 1)],
        solve: |v| {
            (
                v[0] - v[0] * v[1] / 100 + v[2],
                format!(
                    "{} percent of {} is {}. Owed are {} - {} + {} = {}.",
                    v[1],
                    v[0],
                    v[0] * v[1] / 100,
                    v[0],
                    v[0] * v[1] / 100,
                    v[2],
                    v[0] - v[0] * v[1] / 100 + v[2]
                ),
            )
        },
    },
    Family {
        concept: "harvest",
        text: "Each of {a} trees in the orchard of {n} bears {b} kilograms of plums. Birds eat {c} kilograms and {n} loads the crop into sacks. How many kilograms are loaded?",
        ranges: &[(8, 60, 1), (15, 48, 1), (9, 80, 1)],
        solve: |v| {
            (
                v[0] * v[1] - v[2],
                format!(
                    "The trees bear {} x {} = {} kilograms. After the birds {} - {} = {}.",
                    v[0],
                    v[1],
                    v[0] * v[1],
                    v[0] * v[1],
                    v[2],
                    v[0] * v[1] - v[2]
                ),
            )
        },
    },
    Family {
        concept: "reading",
        text: "A novel of {a} pages lies beside the bed of {n}, who reads {b} pages on weeknights and {c} pages on either day of a weekend. How many pages remain after one full week?",
        ranges: &[(420, 900, 1), (11, 35, 1), (20, 60, 1)],
        solve: |v| {
            (
                v[0] - 5 * v[1] - 2 * v[2],
                format!(
                    "Weeknights cover 5 x {} = {}, the weekend 2 x {} = {}. Unread are {}.",
                    v[1],
                    5 * v[1],
                    v[2],
                    2 * v[2],
                    v[0] - 5 * v[1] - 2 * v[2]
                ),
            )
        },
    },
    Family {
        concept: "averages",
        text: "In four throws {n} reaches a mean of {a} meters; the first three were {b}, {c} and {d} meters. How many meters was the fourth?",
        ranges: &[(45, 60, 1), (38, 50, 1), (39, 52, 1), (37, 49, 1)],
        solve: |v| {
            (
                4 * v[0] - v[1] - v[2] - v[3],
                format!(
                    "Four throws sum to 4 x {} = {}. The fourth is {} - {} - {} - {} = {}.",
                    v[0],
                    4 * v[0],
                    4 * v[0],
                    v[1],
                    v[2],
                    v[3],
                    4 * v[0] - v[1] - v[2] - v[3]
                ),
            )
        },
    },
    Family {
        concept: "transport",
        text: "A ferry under captain {n} crosses {a} times between dawn and noon and {b} times between noon and dusk, with {c} passengers aboard on every crossing but one, which ran empty. How many passengers rode that day?",
        ranges: &[(4, 14, 1), (5, 16, 1), (35, 180, 1)],
        solve: |v| {
            (
                (v[0] + v[1] - 1) * v[2],
                format!(
                    "Crossings with passengers are {} + {} - 1 = {}. They carried {} x {} = {}.",
                    v[0],
                    v[1],
                    v[0] + v[1] - 1,
                    v[0] + v[1] - 1,
                    v[2],
                    (v[0] + v[1] - 1) * v[2]
                ),
            )
        },
    },
    Family {
        concept: "energy",
        text: "A mill uses {a} units of power a day in winter and {b} units a day otherwise. Over {c} winter days and {d} other days, what is the number of units that {n} must pay for?",
        ranges: &[(30, 90, 1), (12, 29, 1), (10, 60, 1), (15, 80, 1)],
        solve: |v| {
            (
                v[0] * v[2] + v[1] * v[3],
                format!(
                    "Winter takes {} x {} = {}, the other days {} x {} = {}. Paid are {}.",
                    v[0],
                    v[2],
                    v[0] * v[2],
                    v[1],
                    v[3],
                    v[1] * v[3],
                    v[0] * v[2] + v[1] * v[3]
                ),
            )
        },
    },
    Family {
        concept: "counting",
        text: "A quilt by {n} has {a} red squares, twice that many white squares, and {b} blue squares fewer than white ones. How many squares has the quilt?",
        ranges: &[(14, 90, 1), (3, 13, 1)],
        solve: |v| {
            (
                5 * v[0] - v[1],
                format!(
                    "White are 2 x {} = {}, blue {} - {} = {}. With the red ones that is {}.",
                    v[0],
                    2 * v[0],
                    2 * v[0],
                    v[1],
                    2 * v[0] - v[1],
                    5 * v[0] - v[1]
                ),
            )
        },
    },
];
