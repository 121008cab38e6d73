//! The conformance suite of engines: checks that panic if an engine fails them.
//! [`conformance_tests!`](crate::conformance_tests) makes a test of each.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests that live in the library so that every engine's tests can call them"
)]
#![allow(missing_docs, reason = "the name of a check says what it checks")]

pub mod conditions;
pub mod database;
pub mod housekeeping;
pub mod quotas;
pub mod reading;
pub mod support;
pub mod values;
pub mod vaults;
pub mod workload;

use crate::Opened;

/// The place where an engine under test stores its state.
pub trait Home {
    /// Opens it: an empty store the first time.
    fn open(&self) -> Opened;
    /// Whether acknowledged commits are still there after the engine is closed and opened again.
    fn is_durable(&self) -> bool;
    /// Whether its vault can store a secret beside the data.
    fn keeps_secrets(&self) -> bool {
        true
    }
}

/// Makes a `#[test]` of every check. Takes a function that returns a fresh [`Home`].
#[macro_export]
macro_rules! conformance_tests {
    ($fresh:ident) => {
        $crate::conformance_tests!(@ $fresh, conditions:
            absent_then_present, versions_decide, a_conflict_writes_nothing, later_steps_see_earlier_ones,
            expiry_counts_by_the_commits_now, extend_keeps_the_later, extend_wants_a_live_row, versions_are_never_reused,
            checks_alone_write_nothing, deleting_nothing_is_nothing, many_commits_at_once_are_each_whole,
            refused_commits_leave_those_beside_them_alone, one_of_many_creators_wins);
        $crate::conformance_tests!(@ $fresh, quotas:
            usage_follows_the_rows, items_are_limited_per_kind, bytes_are_limited_over_all_kinds,
            what_does_not_add_always_passes, expired_rows_count_until_removed, usage_survives_reopening);
        $crate::conformance_tests!(@ $fresh, reading:
            look_ups_keep_their_order, known_versions_come_back_without_value, scans_go_both_ways, scans_keep_to_their_range,
            reads_end_at_bytes, limits_do_not_count_expired_rows, other_tags_see_nothing, neighbouring_tags_and_kinds_stay_apart,
            closed_is_closed, rows_survive_reopening, relaxed_rows_survive_closing);
        $crate::conformance_tests!(@ $fresh, values:
            sizes_around_every_limit, large_values, overwriting_and_deleting_large_values, too_large_is_refused,
            too_many_operations_are_refused, large_values_survive_reopening, readers_race_with_overwriting,
            extending_keeps_a_large_value);
        $crate::conformance_tests!(@ $fresh, housekeeping:
            expired_rows_are_due_until_swept, sweeping_leaves_what_lives, what_comes_during_a_slot_is_due_again,
            extended_rows_are_due_later, wakes_are_due_once, dues_survive_reopening, dues_are_limited_and_named_once,
            dues_are_asked_for_by_kind, wakes_of_many_tags_are_forgotten_together,
            erasing_leaves_nothing_of_a_tag, nothing_is_written_to_an_erased_tag, an_erase_that_was_dropped_goes_on,
            exports_have_everything, exports_are_in_the_order_of_keys, exports_are_consistent_while_work_goes_on, a_dropped_export_leaves_nothing);
        $crate::conformance_tests!(@ $fresh, vaults:
            create_once, replace_by_generation, wiped_is_gone, names_in_order, local_secret_once, next_local_secret_settles, slots_survive_reopening,
            one_of_many_vault_creators_wins, closed_vaults_are_closed, many_slots);
    };
    (@ $fresh:ident, $module:ident: $($case:ident),+ $(,)?) => {
        mod $module {
            $(#[test]
            fn $case() {
                $crate::conformance::$module::$case(&super::$fresh());
            })+
        }
    };
}
