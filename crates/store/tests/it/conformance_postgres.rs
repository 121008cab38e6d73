//! The PostgreSQL engine passes the conformance suite.

use bailiwick_store::conformance::database::Database;

fn fresh() -> Database {
    Database::fresh()
}

bailiwick_store::conformance_tests!(fresh);
