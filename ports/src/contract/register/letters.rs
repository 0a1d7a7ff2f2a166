//! Dead letters: buried, found again, put back, dropped.

use std::sync::Arc;

use gristmill_domain::stage::Stage;

use super::{Harness, id, until};
use crate::register::{DEAD_LETTERS_BYTES_MAX, DEAD_LETTERS_MAX, Dead, Register};

fn letter(number: usize) -> Dead {
    Dead {
        stage: Stage::ALL[number % 3],
        run: number.is_multiple_of(2).then(|| id(number)),
        reason: "no version 9 known".to_owned(),
        envelope: number.to_be_bytes().to_vec(),
    }
}

async fn numbers(register: &dyn Register, before: Option<u64>, limit: usize) -> Vec<u64> {
    let dead_letters = register.dead_letters(before, limit).await.unwrap();
    dead_letters
        .into_iter()
        .map(|dead_letter| dead_letter.number)
        .collect()
}

pub async fn a_letter_is_buried_once(harness: &dyn Harness) {
    let rig = harness.start().await;
    let register = &*rig.register;
    let mut seen = Vec::new();
    let others = [
        Dead {
            stage: Stage::Judge,
            ..letter(0)
        },
        Dead {
            run: None,
            ..letter(0)
        },
        Dead {
            reason: "another".to_owned(),
            ..letter(0)
        },
        Dead {
            envelope: Vec::new(),
            ..letter(0)
        },
        letter(1),
        letter(2),
    ];
    for dead in std::iter::once(letter(0)).chain(others) {
        let number = register.bury(dead.clone()).await.unwrap();
        assert_eq!(register.bury(dead.clone()).await.unwrap(), number, "sent again");
        assert!(!seen.contains(&number));
        let dead_letter = register.dead_letter(number).await.unwrap().unwrap();
        assert_eq!((dead_letter.number, dead_letter.dead), (number, dead));
        assert_eq!(dead_letter.retried_ms, None);
        assert!(dead_letter.buried_ms > 0);
        seen.push(number);
    }
    assert_eq!(register.dead_letter(seen[6] + 1).await.unwrap(), None);
}

pub async fn letters_are_listed_the_newest_first(harness: &dyn Harness) {
    let rig = harness.start().await;
    let register = &*rig.register;
    assert_eq!(register.dead_letters(None, 9).await.unwrap(), []);
    let mut buried = Vec::new();
    for number in 0..600 {
        buried.push(register.bury(letter(number)).await.unwrap());
    }
    buried.reverse();
    assert!(buried.is_sorted_by(|newer, older| newer > older));
    assert!(numbers(register, None, 0).await.is_empty());
    assert_eq!(numbers(register, None, 3).await, buried[..3]);
    assert_eq!(
        numbers(register, Some(buried[2]), 550).await,
        buried[3..553],
        "more than a page"
    );
    assert_eq!(numbers(register, Some(buried[0] + 1), usize::MAX).await, buried);
    assert!(numbers(register, Some(buried[599]), 9).await.is_empty());
    assert_eq!(numbers(register, Some(u64::MAX), 1).await, buried[..1]);
}

pub async fn a_letter_that_was_put_back_may_die_again(harness: &dyn Harness) {
    let rig = harness.start().await;
    let register = &*rig.register;
    let number = register.bury(letter(0)).await.unwrap();
    let dead_letter = async || register.dead_letter(number).await.unwrap().unwrap();
    let buried_ms = dead_letter().await.buried_ms;
    register.retried(number).await.unwrap();
    let first = dead_letter().await.retried_ms.unwrap();
    assert!(first >= buried_ms);
    until("a later one", async || {
        register.retried(number).await.unwrap();
        dead_letter().await.retried_ms > Some(first)
    })
    .await;
    assert_eq!(register.bury(letter(0)).await.unwrap(), number);
    let again = dead_letter().await;
    assert_eq!(again.retried_ms, None);
    assert!(again.buried_ms > buried_ms);
    register.retried(number + 1).await.unwrap();
    assert_eq!(register.dead_letter(number + 1).await.unwrap(), None);
}

pub async fn letters_are_dropped(harness: &dyn Harness) {
    let rig = harness.start().await;
    let register = &*rig.register;
    let mut buried = Vec::new();
    for number in 0..5 {
        buried.push(register.bury(letter(number)).await.unwrap());
    }
    assert_eq!(register.drop_graves(&[]).await.unwrap(), 0);
    let some = [buried[1], buried[3], buried[3], buried[4] + 7];
    assert_eq!(register.drop_graves(&some).await.unwrap(), 2);
    assert_eq!(register.drop_graves(&some).await.unwrap(), 0);
    assert_eq!(
        numbers(register, None, 9).await,
        [buried[4], buried[2], buried[0]]
    );
    assert_eq!(register.dead_letter(buried[1]).await.unwrap(), None);
    let anew = register.bury(letter(1)).await.unwrap();
    assert!(anew > buried[4], "a dropped one is a new one: {anew}");
    let many: Vec<u64> = (0..2_000).chain([anew]).collect();
    assert_eq!(register.drop_graves(&many).await.unwrap(), 4, "more than a page");
}

pub async fn the_oldest_letters_go_first(harness: &dyn Harness) {
    let rig = harness.start().await;
    let register = &rig.register;
    let first = register.bury(letter(0)).await.unwrap();
    let second = register.bury(letter(1)).await.unwrap();
    let lanes: Vec<_> = (0..16)
        .map(|lane| {
            let register = Arc::clone(register);
            tokio::spawn(async move {
                for number in (2..DEAD_LETTERS_MAX).filter(|number| number % 16 == lane) {
                    register.bury(letter(number)).await.unwrap();
                }
            })
        })
        .collect();
    for lane in lanes {
        lane.await.unwrap();
    }
    assert!(
        register.dead_letter(first).await.unwrap().is_some(),
        "there is room for all"
    );
    register.bury(letter(DEAD_LETTERS_MAX)).await.unwrap();
    assert_eq!(register.dead_letter(first).await.unwrap(), None);
    let all = numbers(&**register, None, usize::MAX).await;
    assert_eq!((all.len(), all.last()), (DEAD_LETTERS_MAX, Some(&second)));
}

pub async fn the_largest_letters_do_not_pile_up(harness: &dyn Harness) {
    let rig = harness.start().await;
    let register = &*rig.register;
    let sized = |number: usize, bytes| Dead {
        envelope: vec![b'x'; bytes],
        ..letter(number)
    };
    let mut buried = Vec::new();
    for number in 0..5 {
        let dead = sized(number, DEAD_LETTERS_BYTES_MAX / 4);
        buried.push(register.bury(dead).await.unwrap());
    }
    buried.reverse();
    assert_eq!(numbers(register, None, 9).await, buried[..4]);
    assert_eq!(register.drop_graves(&buried[..1]).await.unwrap(), 1);
    let small = register.bury(letter(9)).await.unwrap();
    assert_eq!(
        numbers(register, None, 9).await,
        [small, buried[1], buried[2], buried[3]],
        "what was dropped makes room"
    );
    let huge = register
        .bury(sized(10, DEAD_LETTERS_BYTES_MAX + 1))
        .await
        .unwrap();
    assert_eq!(numbers(register, None, 9).await, [huge]);
}
