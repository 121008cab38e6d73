//! Every waiting item gets its turn: shares, order, and progress while an item waits.

use std::collections::HashMap;

use bailiwick_model::{Dispatcher, FairQueue, Weight};
use proptest::prelude::*;

const QUANTUM: u64 = 100;
const SMALL: Weight = Weight::Small;
const HEAVY: Weight = Weight::Heavy;

#[derive(Debug, Clone)]
enum Step {
    Push {
        line: u8,
        cost: u64,
    },
    Pop,
    /// The lines that `may` allows: one bit for each.
    PopIf {
        may: u8,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let cost = prop_oneof![Just(0_u64), 1..30_u64, 90..110_u64, 1_000..1_000_000_u64];
    let step = prop_oneof![
        6 => (0..5_u8, cost).prop_map(|(line, cost)| Step::Push { line, cost }),
        4 => Just(Step::Pop),
        2 => any::<u8>().prop_map(|may| Step::PopIf { may }),
    ];
    prop::collection::vec(step, 0..200)
}

/// The order of the items, as (line, cost), if all wait from the start.
fn served(lines: &[Vec<u64>]) -> Vec<(usize, u64)> {
    let mut queue = FairQueue::new(QUANTUM);
    for (line, costs) in lines.iter().enumerate() {
        for cost in costs {
            queue.push(line, *cost, *cost);
        }
    }
    std::iter::from_fn(|| queue.pop()).collect()
}

proptest! {
    #[test]
    fn a_line_keeps_its_order_and_a_waiting_item_is_always_found(steps in steps()) {
        let mut queue = FairQueue::new(QUANTUM);
        let mut model: HashMap<u8, Vec<usize>> = HashMap::new();
        let mut waiting = 0;
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Push { line, cost } => {
                    queue.push(line, cost, number);
                    model.entry(line).or_default().push(number);
                    waiting += 1;
                }
                Step::PopIf { may } => {
                    let may = |line: &u8| may & (1 << line) != 0;
                    let some_may = model.iter().any(|(line, items)| may(line) && !items.is_empty());
                    let popped = queue.pop_if(may);
                    prop_assert_eq!(popped.is_some(), some_may);
                    if let Some((line, item)) = popped {
                        prop_assert!(may(&line));
                        prop_assert_eq!(model.get_mut(&line).unwrap().remove(0), item);
                        waiting -= 1;
                    }
                }
                Step::Pop => {
                    let peeked = queue.peek().map(|(line, _, item)| (line, *item));
                    let popped = queue.pop();
                    prop_assert_eq!(peeked, popped);
                    prop_assert_eq!(popped.is_some(), waiting > 0);
                    if let Some((line, item)) = popped {
                        prop_assert_eq!(model.get_mut(&line).unwrap().remove(0), item);
                        waiting -= 1;
                    }
                }
            }
            prop_assert_eq!(queue.len(), waiting);
            prop_assert_eq!(queue.lines(), model.values().filter(|line| !line.is_empty()).count());
        }
        let mut rest = queue.drain();
        let mut expected: Vec<usize> = model.into_values().flatten().collect();
        rest.sort_unstable();
        expected.sort_unstable();
        prop_assert_eq!(rest, expected);
        prop_assert!(queue.is_empty() && queue.pop().is_none());
    }

    /// The bound of the paper: while two lines both wait, their service differs by less than a turn and twice the
    /// dearest item.
    #[test]
    fn lines_that_wait_get_equal_shares(
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

    /// A caller that adds a small item waits for at most one turn of each other line.
    #[test]
    fn an_item_waits_for_at_most_one_turn_of_each_other_line(
        others in prop::collection::vec(prop::collection::vec(1..=QUANTUM, 1..60), 1..6),
        taken in 0..50_usize,
        cost in 0..=QUANTUM,
    ) {
        let mut queue = FairQueue::new(QUANTUM);
        for (line, costs) in others.iter().enumerate() {
            costs.iter().for_each(|cost| queue.push(line, *cost, *cost));
        }
        for _ in 0..taken {
            queue.pop();
        }
        queue.push(usize::MAX, cost, cost);
        let mut before: HashMap<usize, u64> = HashMap::new();
        while let Some((line, cost)) = queue.pop() {
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
fn a_dear_item_waits_until_its_credit_suffices_and_cheap_ones_pass_it() {
    let order = served(&[vec![1_000], vec![50; 30]]);
    let at = order.iter().position(|(line, _)| *line == 0).unwrap();
    assert!((18..=20).contains(&at), "after {at} cheap ones");
}

#[test]
fn the_dearest_item_is_found_without_countless_rounds() {
    let order = served(&[vec![u64::MAX], vec![u64::MAX - 1], vec![1]]);
    assert_eq!(order.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 0, 1]);
}

#[test]
fn an_empty_line_loses_its_credit() {
    let mut queue = FairQueue::new(QUANTUM);
    for _ in 0..50 {
        queue.push("idle", 1, 0);
        queue.pop();
    }
    for number in 0..3 {
        queue.push("idle", QUANTUM, number);
        queue.push("busy", QUANTUM, number);
    }
    let order: Vec<&str> = std::iter::from_fn(|| queue.pop()).map(|(line, _)| line).collect();
    assert_eq!(order, ["idle", "busy", "idle", "busy", "idle", "busy"]);
}

#[test]
fn the_next_call_is_chosen_when_a_starter_is_free() {
    let mut dispatcher = Dispatcher::new(4, 1, 1);
    assert_eq!((0..10).filter(|number| dispatcher.push("busy", SMALL, 1, *number)).count(), 4);
    assert_eq!(dispatcher.next(None), Some(("busy", SMALL, 0)));
    assert!(!dispatcher.push("late", SMALL, 1, 100));
    assert_eq!(dispatcher.next(None), Some(("late", SMALL, 100)));
    assert_eq!(dispatcher.next(Some(("late", SMALL))), Some(("busy", SMALL, 1)));
}

#[test]
fn no_key_has_all_starters() {
    let mut dispatcher = Dispatcher::new(3, 1, 1);
    assert_eq!((0..10).filter(|number| dispatcher.push("busy", SMALL, 1, *number)).count(), 3);
    assert_eq!(dispatcher.next(None), Some(("busy", SMALL, 0)));
    assert_eq!(dispatcher.next(None), Some(("busy", SMALL, 1)));
    assert_eq!(dispatcher.next(None), None, "the third is kept for others, and ends");
    assert!(dispatcher.push("other", SMALL, 1, 100), "so another is needed");
    assert_eq!(dispatcher.next(None), Some(("other", SMALL, 100)));
    assert_eq!(dispatcher.next(Some(("other", SMALL))), None);
    assert_eq!(dispatcher.next(Some(("busy", SMALL))), Some(("busy", SMALL, 2)));
}

#[test]
fn a_call_that_a_limit_delayed_is_started_after_its_starters_have_ended() {
    let mut dispatcher = Dispatcher::new(2, 1, 1);
    assert!(dispatcher.push("a", HEAVY, 1, 0));
    assert_eq!(dispatcher.next(None), Some(("a", HEAVY, 0)));
    assert!(dispatcher.push("a", SMALL, 1, 1));
    assert_eq!(dispatcher.next(None), None, "the other is kept for others, and ends");
    assert!(dispatcher.push("b", HEAVY, 1, 2));
    assert_eq!(dispatcher.next(None), None, "one heavy call at a time");
    assert_eq!(dispatcher.next(Some(("a", HEAVY))), Some(("b", HEAVY, 2)));
    assert!(dispatcher.needs_another(), "or the second call of a would wait for b's");
    assert_eq!(dispatcher.next(None), Some(("a", SMALL, 1)));
    assert!(!dispatcher.needs_another());
}

#[test]
fn heavy_calls_of_all_keys_leave_starters_to_small_ones() {
    let mut dispatcher = Dispatcher::new(4, 1, 1);
    for (number, lane) in ["a", "b", "c", "d"].into_iter().enumerate() {
        assert!(dispatcher.push(lane, HEAVY, 1_000, number));
    }
    assert_eq!(dispatcher.next(None), Some(("a", HEAVY, 0)));
    for _ in 0..3 {
        assert_eq!(dispatcher.next(None), None, "the others are kept for small ones");
    }
    assert!(dispatcher.push("victim", SMALL, 1, 100));
    assert_eq!(dispatcher.next(None), Some(("victim", SMALL, 100)));
    assert_eq!(dispatcher.next(Some(("a", HEAVY))), Some(("b", HEAVY, 1)), "in turn");
}

#[test]
fn a_small_call_passes_a_heavy_one_of_its_own_key() {
    let mut dispatcher = Dispatcher::new(2, 1, 1);
    for number in 0..3 {
        let _ = dispatcher.push("only", HEAVY, 1_000, number);
    }
    assert_eq!(dispatcher.next(None), Some(("only", HEAVY, 0)));
    assert_eq!(dispatcher.next(None), None);
    assert!(dispatcher.push("other", SMALL, 1, 100));
    assert_eq!(dispatcher.next(None), Some(("other", SMALL, 100)));
}

#[derive(Debug, Clone)]
enum Start {
    Push {
        lane: u8,
        heavy: bool,
        cost: u64,
    },
    /// A starter begins, or a busy one has finished its call.
    Go(u8),
}

fn start_steps() -> impl Strategy<Value = Vec<Start>> {
    let push = (0..4_u8, any::<bool>(), prop_oneof![0..30_u64, 1_000..1_000_000_u64]);
    let push = push.prop_map(|(lane, heavy, cost)| Start::Push { lane, heavy, cost });
    prop::collection::vec(prop_oneof![push, any::<u8>().prop_map(Start::Go)], 0..150)
}

proptest! {
    /// For all calls and durations, the dispatcher keeps its limits on starters, on starters with heavy calls and on
    /// starters of one lane; each call is started once; and no call that may be started waits without a starter.
    #[test]
    fn a_small_call_never_waits_for_starters_that_are_all_busy_with_heavy_calls(
        steps in start_steps(),
        most in 1..6_usize,
        most_heavy in 1..4_usize,
    ) {
        let mut dispatcher = Dispatcher::new(most, most_heavy, QUANTUM);
        let most_heavy = most_heavy.min((most - 1).max(1));
        // Starters on their way, and those that are busy.
        let (mut coming, mut busy): (usize, Vec<(u8, Weight)>) = (0, Vec::new());
        let mut waiting: Vec<(u8, Weight, usize)> = Vec::new();
        let mut number = 0;
        let go = |which: Option<usize>, dispatcher: &mut Dispatcher<u8, usize>, coming: &mut usize, busy: &mut Vec<(u8, Weight)>, waiting: &mut Vec<(u8, Weight, usize)>| {
            let done = which.map(|which| busy.swap_remove(which));
            if done.is_none() {
                *coming -= 1;
            }
            let next = dispatcher.next(done);
            *coming += usize::from(dispatcher.needs_another());
            if let Some((lane, weight, call)) = next {
                let at = waiting.iter().position(|waits| *waits == (lane, weight, call));
                waiting.remove(at.expect("it waited, once"));
                busy.push((lane, weight));
            }
        };
        for step in steps {
            match step {
                Start::Push { lane, heavy, cost } => {
                    let weight = if heavy { HEAVY } else { SMALL };
                    coming += usize::from(dispatcher.push(lane, weight, cost, number));
                    waiting.push((lane, weight, number));
                    number += 1;
                }
                Start::Go(which) if coming > 0 && (busy.is_empty() || which % 2 == 0) => {
                    go(None, &mut dispatcher, &mut coming, &mut busy, &mut waiting);
                }
                Start::Go(which) if !busy.is_empty() => {
                    let which = usize::from(which) % busy.len();
                    go(Some(which), &mut dispatcher, &mut coming, &mut busy, &mut waiting);
                }
                Start::Go(_) => {}
            }
            prop_assert!(coming + busy.len() <= most);
            let heavy = busy.iter().filter(|(_, weight)| *weight == HEAVY).count();
            prop_assert!(heavy <= most_heavy);
            let of = |lane: u8| busy.iter().filter(|(one, _)| *one == lane).count();
            let most_of_one = (most - 1).max(1);
            let may = |(lane, weight, _): &(u8, Weight, usize)| match weight {
                Weight::Small => of(*lane) < most_of_one,
                Weight::Heavy => heavy < most_heavy,
            };
            if most > 1 && waiting.iter().any(may) {
                prop_assert!(coming > 0 || busy.len() == most, "{waiting:?} while {busy:?}");
                prop_assert!(coming > 0 || busy.iter().any(|(_, weight)| *weight == SMALL), "all are heavy");
            }
        }
        while coming > 0 || !busy.is_empty() {
            let which = if coming > 0 { None } else { Some(0) };
            go(which, &mut dispatcher, &mut coming, &mut busy, &mut waiting);
        }
        prop_assert!(waiting.is_empty(), "{waiting:?}");
    }
}

#[test]
fn one_starter_starts_everything() {
    let mut dispatcher = Dispatcher::new(1, 1, 1);
    assert!(dispatcher.push("only", SMALL, 5, 0));
    assert!(!dispatcher.push("only", HEAVY, 5, 1));
    assert_eq!(dispatcher.next(None), Some(("only", HEAVY, 1)));
    assert_eq!(dispatcher.next(Some(("only", HEAVY))), Some(("only", SMALL, 0)));
    assert_eq!(dispatcher.next(Some(("only", SMALL))), None);
    assert!(dispatcher.push("only", SMALL, 5, 2));
}
