//! Statements to the server, and their results.

pub(in crate::postgres) mod checks;
pub(in crate::postgres) mod pipeline;
pub(in crate::postgres) mod schema;
pub(in crate::postgres) mod setup;
pub(in crate::postgres) mod single;
pub(in crate::postgres) mod statements;
pub(in crate::postgres) mod values;
