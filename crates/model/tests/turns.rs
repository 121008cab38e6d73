//! Whoever waits has its turn: shares, order, and that nothing stands still while something waits.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

use std::collections::HashMap;

use bailiwick_model::{Starts, Turns};
use proptest::prelude::*;

const QUANTUM: u64 = 100;

#[derive(Debug, Clone)]
enum Step {
    Push { line: u8, cost: u64 },
    Pop,
    Pass,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let cost = prop_oneof![Just(0_u64), 1..30_u64, 90..110_u64, 1_000..1_000_000_u64];
    let step = prop_oneof![
        6 => (0..5_u8, cost).prop_map(|(line, cost)| Step::Push { line, cost }),
        4 => Just(Step::Pop),
        1 => Just(Step::Pass),
    ];
    prop::collection::vec(step, 0..200)
}

/// What came out, as (line, cost), when everything waits from the start.
fn served(lines: &[Vec<u64>]) -> Vec<(usize, u64)> {
    let mut turns = Turns::new(QUANTUM);
    for (line, costs) in lines.iter().enumerate() {
        for cost in costs {
            turns.push(line, *cost, *cost);
        }
    }
    std::iter::from_fn(|| turns.pop()).collect()
}

proptest! {
    #[test]
    fn b9_order_within_a_line_is_kept_and_something_comes_while_something_waits(steps in steps()) {
        let mut turns = Turns::new(QUANTUM);
        let mut model: HashMap<u8, Vec<usize>> = HashMap::new();
        let mut waiting = 0;
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Push { line, cost } => {
                    turns.push(line, cost, number);
                    model.entry(line).or_default().push(number);
                    waiting += 1;
                }
                Step::Pass => turns.pass(),
                Step::Pop => {
                    let peeked = turns.peek().map(|(line, _, item)| (line, *item));
                    let popped = turns.pop();
                    prop_assert_eq!(peeked, popped);
                    prop_assert_eq!(popped.is_some(), waiting > 0);
                    if let Some((line, item)) = popped {
                        prop_assert_eq!(model.get_mut(&line).unwrap().remove(0), item);
                        waiting -= 1;
                    }
                }
            }
            prop_assert_eq!(turns.len(), waiting);
            prop_assert_eq!(turns.lines(), model.values().filter(|line| !line.is_empty()).count());
        }
        let mut rest = turns.drain();
        let mut expected: Vec<usize> = model.into_values().flatten().collect();
        rest.sort_unstable();
        expected.sort_unstable();
        prop_assert_eq!(rest, expected);
        prop_assert!(turns.is_empty() && turns.pop().is_none());
    }

    /// The bound of the paper: while two lines both wait, what they were given differs by less than a turn and twice the
    /// dearest thing.
    #[test]
    fn b9_lines_that_wait_get_equal_shares(
        lines in prop::collection::vec(prop::collection::vec(1..500_u64, 1..60), 2..6)
    ) {
        let dearest = lines.iter().flatten().max().copied().unwrap();
        let mut given = vec![0_u64; lines.len()];
        let mut left: Vec<usize> = lines.iter().map(Vec::len).collect();
        for (line, cost) in served(&lines) {
            given[line] += cost;
            left[line] -= 1;
            let busy = || (0..lines.len()).filter(|line| left[*line] > 0).map(|line| given[line]);
            if let (Some(most), Some(least)) = (busy().max(), busy().min()) {
                prop_assert!(most - least <= QUANTUM + 2 * dearest, "{most} and {least}");
            }
        }
        prop_assert!(left.iter().all(|left| *left == 0));
    }

    /// Whoever asks for something small waits for one turn of each other line, and no longer.
    #[test]
    fn b9_nobody_waits_for_more_than_a_turn_of_each_other(
        others in prop::collection::vec(prop::collection::vec(1..=QUANTUM, 1..60), 1..6),
        taken in 0..50_usize,
        cost in 0..=QUANTUM,
    ) {
        let mut turns = Turns::new(QUANTUM);
        for (line, costs) in others.iter().enumerate() {
            costs.iter().for_each(|cost| turns.push(line, *cost, *cost));
        }
        for _ in 0..taken {
            turns.pop();
        }
        turns.push(usize::MAX, cost, cost);
        let mut before: HashMap<usize, u64> = HashMap::new();
        while let Some((line, cost)) = turns.pop() {
            if line == usize::MAX {
                break;
            }
            *before.entry(line).or_default() += cost;
        }
        for cost in before.values() {
            prop_assert!(*cost < 2 * QUANTUM, "waited for {cost} of one line");
        }
    }
}

#[test]
fn b9_a_dear_thing_comes_after_its_turns_and_cheap_ones_go_meanwhile() {
    let order = served(&[vec![1_000], vec![50; 30]]);
    let at = order.iter().position(|(line, _)| *line == 0).unwrap();
    assert!((18..=20).contains(&at), "after {at} cheap ones");
}

#[test]
fn b9_the_dearest_thing_of_all_needs_no_countless_rounds() {
    let order = served(&[vec![u64::MAX], vec![u64::MAX - 1], vec![1]]);
    assert_eq!(order.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 0, 1]);
}

#[test]
fn b9_credit_is_lost_with_the_last_thing_of_a_line() {
    let mut turns = Turns::new(QUANTUM);
    for _ in 0..50 {
        turns.push("idle", 1, 0);
        turns.pop();
    }
    for number in 0..3 {
        turns.push("idle", QUANTUM, number);
        turns.push("busy", QUANTUM, number);
    }
    let order: Vec<&str> = std::iter::from_fn(|| turns.pop()).map(|(line, _)| line).collect();
    assert_eq!(order, ["idle", "busy", "idle", "busy", "idle", "busy"]);
}

#[test]
fn b9_what_is_started_next_is_chosen_when_a_starter_is_free() {
    let mut starts = Starts::new(4, 1);
    assert_eq!((0..10).filter(|number| starts.push("busy", 1, *number)).count(), 4);
    assert_eq!(starts.next(None), Some(("busy", 0)));
    assert!(!starts.push("late", 1, 100));
    assert_eq!(starts.next(None), Some(("late", 100)));
    assert_eq!(starts.next(Some("late")), Some(("busy", 1)));
}

#[test]
fn b9_no_lane_has_all_starters() {
    let mut starts = Starts::new(3, 1);
    assert_eq!((0..10).filter(|number| starts.push("busy", 1, *number)).count(), 3);
    assert_eq!(starts.next(None), Some(("busy", 0)));
    assert_eq!(starts.next(None), Some(("busy", 1)));
    assert_eq!(starts.next(None), None, "the third is kept for others, and ends");
    assert!(starts.push("other", 1, 100), "so another is needed");
    assert_eq!(starts.next(None), Some(("other", 100)));
    assert_eq!(starts.next(Some("other")), None);
    assert_eq!(starts.next(Some("busy")), Some(("busy", 2)));
}

#[test]
fn b9_every_call_is_started_once_by_starters_that_come_and_go() {
    let mut starts = Starts::new(3, 10);
    let mut starters: Vec<Option<&str>> = Vec::new();
    let mut started = Vec::new();
    for number in 0..300 {
        let lane = ["a", "b", "c"][number % 7 % 3];
        if starts.push(lane, number as u64 % 25, number) {
            starters.push(None);
        }
        // One of them goes on now and then.
        if number % 3 == 0 && !starters.is_empty() {
            let starter = starters.remove(number % starters.len());
            if let Some((lane, call)) = starts.next(starter) {
                started.push(call);
                starters.push(Some(lane));
            }
        }
    }
    while let Some(starter) = starters.pop() {
        if let Some((lane, call)) = starts.next(starter) {
            started.push(call);
            starters.insert(0, Some(lane));
        }
    }
    started.sort_unstable();
    assert_eq!(started, (0..300).collect::<Vec<_>>());
}

#[test]
fn b9_one_starter_starts_everything() {
    let mut starts = Starts::new(1, 1);
    assert!(starts.push("only", 5, 0));
    assert!(!starts.push("only", 5, 1));
    assert_eq!(starts.next(None), Some(("only", 0)));
    assert_eq!(starts.next(Some("only")), Some(("only", 1)));
    assert_eq!(starts.next(Some("only")), None);
    assert!(starts.push("only", 5, 2));
}
