//! Tests of the queue of commits.

use super::*;
use crate::engine::{Durability, Limits, When};

fn job(tag: u8, number: u8, bytes: usize) -> Job<()> {
    let place = crate::Place { kind: number, item: [0; 32] };
    let op = Op::Put { place, value: vec![0; bytes].into(), expires_at: None, counted: None, when: When::Any };
    let tag = Tag([tag; 32]);
    let commit = Commit { tag, now: 0, ops: vec![op], limits: Limits::default(), durability: Durability::Sync };
    Job { commit, large: Vec::new(), maintenance: None, answer: oneshot::channel().0 }
}

fn order(queue: &Queue<()>) -> Vec<(u8, u8)> {
    let Next::Group(jobs) = queue.next(None) else { panic!("there are jobs") };
    let number = |job: &Job<()>| match job.commit.ops[0] {
        Op::Put { place, .. } => place.kind,
        _ => 0,
    };
    jobs.iter().map(|job| (job.commit.tag.0[0], number(job))).collect()
}

#[test]
fn tags_take_turns_and_keep_their_own_order() {
    let queue = Queue::<()>::default();
    let half = (QUANTUM / 2 - OP_COST) as usize;
    for (tag, number) in [(1, 0), (1, 1), (1, 2), (2, 0), (3, 0), (3, 1)] {
        assert!(queue.push(job(tag, number, half)).is_ok());
    }
    assert_eq!(order(&queue), [(1, 0), (1, 1), (2, 0), (3, 0), (3, 1)]);
    assert_eq!(order(&queue), [(1, 2)]);
}

fn fill(queue: &Queue<()>, tag: u8) {
    for number in 0..=255 {
        assert!(queue.push(job(tag, number, 500)).is_ok());
    }
}

/// More than a tag can have in one turn.
const MORE_THAN_A_TURN: usize = (QUANTUM / OP_COST) as usize + 1;

#[test]
fn a_busy_tag_does_not_keep_others_out_of_the_next_group_and_does_not_fill_it() {
    let queue = Queue::<()>::default();
    fill(&queue, 1);
    assert!(queue.push(job(2, 0, 500)).is_ok());
    let first = order(&queue);
    assert!(first.contains(&(2, 0)));
    assert!(first.len() <= 1 + MORE_THAN_A_TURN, "{first:?}");
}

#[test]
fn tags_that_all_have_plenty_fill_their_groups_in_equal_parts() {
    let queue = Queue::<()>::default();
    fill(&queue, 1);
    fill(&queue, 2);
    let first = order(&queue);
    let of_one = first.iter().filter(|(tag, _)| *tag == 1).count();
    assert!(first.len() > 4 * MORE_THAN_A_TURN, "{}", first.len());
    assert!(of_one.abs_diff(first.len() - of_one) <= MORE_THAN_A_TURN, "{of_one} of {}", first.len());
}

#[test]
fn a_tag_alone_fills_its_groups_again_once_the_other_is_forgotten() {
    let queue = Queue::<()>::default();
    let size_alone = || {
        fill(&queue, 1);
        order(&queue).len()
    };
    assert!(size_alone() > MORE_THAN_A_TURN);
    assert!(queue.push(job(2, 0, 500)).is_ok());
    let sizes: Vec<usize> = (0..REMEMBERED_GROUPS).map(|_| size_alone()).collect();
    assert!(sizes.iter().all(|size| *size <= 1 + MORE_THAN_A_TURN), "{sizes:?}");
    assert!(size_alone() > MORE_THAN_A_TURN);
}

#[test]
fn values_with_files_of_their_own_are_handed_out_in_turn() {
    let queue = Queue::<()>::default();
    for (tag, number) in [(1, 0), (1, 1), (1, 2), (2, 0)] {
        assert!(queue.push(job(tag, number, 8 << 20)).is_ok());
    }
    queue.close();
    let tags: Vec<u8> = std::iter::from_fn(|| queue.next_one()).map(|job| job.commit.tag.0[0]).collect();
    assert_eq!(tags, [1, 2, 1, 1]);
}

#[test]
fn closing_hands_out_what_waits_and_then_ends() {
    let queue = Queue::<()>::default();
    assert!(queue.push(job(1, 0, 1)).is_ok());
    queue.close();
    assert!(queue.push(job(1, 1, 1)).is_err());
    assert_eq!(order(&queue), [(1, 0)]);
    assert!(matches!(queue.next(None), Next::Closed));
}
