//! Every statement of the engine, prepared once per connection. Values are passed as parameters, never inserted into
//! the text.

use std::time::Duration;

use tokio_postgres::{Client, Statement};

use crate::postgres::failure::Trouble;
use crate::postgres::sql::pipeline;

/// A statement that only reads. It returns at least one row. The last column of each row says whether a standby
/// answered; the column before it is null in a row that exists for this alone. Poolers that route reads to standbys do
/// not route a statement that calls this function. The rows keep their order, because one row is joined with them.
macro_rules! read {
    ($text:expr) => {
        concat!(
            "SELECT q.*, s.is_standby FROM (SELECT pg_is_in_recovery() AS is_standby) AS s LEFT JOIN (SELECT i.*, ",
            "true AS is_there FROM (",
            $text,
            ") AS i) AS q ON true"
        )
    };
}

/// Makes a struct of prepared statements from their texts.
macro_rules! statements {
    ($($(#[$comment:meta])* $name:ident = $text:expr;)+) => {
        /// The prepared statements of a connection.
        pub(in crate::postgres) struct Statements {
            $($(#[$comment])* pub(in crate::postgres) $name: Statement,)+
        }

        impl Statements {
            /// Prepares all of them in one round trip.
            pub(in crate::postgres) async fn prepare(client: &Client, patience: Duration) -> Result<Self, Trouble> {
                let mut prepared = pipeline::prepare(client, TEXTS, patience).await?.into_iter();
                Ok(Self { $($name: prepared.next().ok_or(Trouble::Lost)?,)+ })
            }
        }

        const TEXTS: &[&str] = &[$($text),+];
        #[cfg(test)]
        const NAMES: &[&str] = &[$(stringify!($name)),+];
    };
}

statements! {
    /// The existing ones of these rows, locked in the given order. Each is found by its key, however many rows the
    /// planner expects of a tag, because locked subqueries are not joined otherwise.
    lock_rows = "SELECT r.* FROM unnest($2::smallint[], $3::bytea[]) AS u (kind, item) CROSS JOIN LATERAL (
            SELECT kind, item, version, expires_at, counted, parts FROM bailiwick.records
            WHERE tag = $1 AND kind = u.kind AND item = u.item FOR UPDATE) AS r";
    /// A new version, the server's clock, and whether the tag was erased.
    next_version = "SELECT nextval('bailiwick.versions'), (extract(epoch FROM now()) * 1000)::bigint,
        (SELECT erased_at IS NOT NULL FROM bailiwick.tenants WHERE tag = $1)";
    /// A new version, and the server's clock.
    next = "SELECT nextval('bailiwick.versions'), (extract(epoch FROM now()) * 1000)::bigint";
    is_erased = read!("SELECT erased_at FROM bailiwick.tenants WHERE tag = $1 AND erased_at IS NOT NULL");
    usage = read!("SELECT kind, sum(items)::bigint AS items, sum(bytes)::bigint AS bytes
        FROM bailiwick.usage WHERE tag = $1 GROUP BY kind");
    insert_token = "INSERT INTO bailiwick.tokens (tag, token, committed) VALUES ($1, $2, true)";
    /// Claims a token that no commit has used. Waits for a transaction that is about to use it.
    claim_token = "INSERT INTO bailiwick.tokens (tag, token, committed) VALUES ($1, $2, false) ON CONFLICT DO NOTHING";
    read_token = "SELECT committed FROM bailiwick.tokens WHERE tag = $1 AND token = $2";
    /// Tokens older than a day by the server's clock: a token begins with its time.
    drop_tokens = "DELETE FROM bailiwick.tokens WHERE tag = $1 AND token IN (
        SELECT token FROM bailiwick.tokens
        WHERE tag = $1 AND token < int8send((extract(epoch FROM now()) * 1000)::bigint - 86400000)
        ORDER BY token LIMIT 512 FOR UPDATE SKIP LOCKED)";
    register = "INSERT INTO bailiwick.tenants (tag) VALUES ($1) ON CONFLICT DO NOTHING";
    insert_rows = "INSERT INTO bailiwick.records (tag, version, kind, item, expires_at, counted, parts, value)
        SELECT $1::bytea, $2::bigint, *
        FROM unnest($3::smallint[], $4::bytea[], $5::bigint[], $6::bigint[], $7::smallint[], $8::bytea[])";
    /// A whole commit of new rows with its token and its usage. It writes nothing if a row that must be absent exists,
    /// the tag was erased, or the token is too old because the process was suspended. Returns the version and the time
    /// for the next commit, whether it wrote, and otherwise the 1-based index of the first row that exists and has not
    /// expired. The last-named CTE runs first: token, rows, usage.
    insert_new = "WITH free AS MATERIALIZED (
            SELECT WHERE NOT EXISTS (SELECT FROM bailiwick.tenants WHERE tag = $1 AND erased_at IS NOT NULL)
            AND $2::bytea > int8send((extract(epoch FROM now()) * 1000)::bigint - 3600000)
            AND NOT EXISTS (SELECT FROM unnest($4::smallint[], $5::bytea[]) AS u (kind, item) CROSS JOIN LATERAL (
                SELECT FROM bailiwick.records WHERE tag = $1 AND kind = u.kind AND item = u.item OFFSET 0) AS r)),
        usage AS (INSERT INTO bailiwick.usage AS u (tag, shard, kind, items, bytes)
            SELECT $1::bytea, $12::smallint, n.* FROM free CROSS JOIN unnest($13::smallint[], $14::bigint[], $15::bigint[]) AS n
            ON CONFLICT (tag, kind, shard)
            DO UPDATE SET items = u.items + EXCLUDED.items, bytes = u.bytes + EXCLUDED.bytes),
        rows AS (INSERT INTO bailiwick.records (tag, version, kind, item, expires_at, counted, parts, value)
            SELECT $1::bytea, $3::bigint, n.* FROM free CROSS JOIN
                unnest($6::smallint[], $7::bytea[], $8::bigint[], $9::bigint[], $10::smallint[], $11::bytea[]) AS n),
        known AS (INSERT INTO bailiwick.tenants (tag) SELECT $1::bytea FROM free
            WHERE NOT EXISTS (SELECT FROM bailiwick.tenants WHERE tag = $1) ON CONFLICT DO NOTHING),
        token AS (INSERT INTO bailiwick.tokens (tag, token, committed) SELECT $1::bytea, $2::bytea, true FROM free)
        SELECT nextval('bailiwick.versions'), (extract(epoch FROM now()) * 1000)::bigint, EXISTS (SELECT FROM free), CASE WHEN NOT EXISTS (SELECT FROM free) THEN
            (SELECT min(u.number) FROM unnest($4::smallint[], $5::bytea[]) WITH ORDINALITY AS u (kind, item, number)
                CROSS JOIN LATERAL (SELECT expires_at FROM bailiwick.records
                    WHERE tag = $1 AND kind = u.kind AND item = u.item OFFSET 0) AS r
                WHERE (r.expires_at IS NULL OR r.expires_at > $16::bigint)
                AND NOT EXISTS (SELECT FROM bailiwick.tenants WHERE tag = $1 AND erased_at IS NOT NULL)) END";
    /// Rows that are locked, so none is new. Each is found by its key, which a join does not guarantee.
    update_rows = "INSERT INTO bailiwick.records (tag, version, kind, item, expires_at, counted, parts, value)
        SELECT $1::bytea, $2::bigint, *
        FROM unnest($3::smallint[], $4::bytea[], $5::bigint[], $6::bigint[], $7::smallint[], $8::bytea[])
        ON CONFLICT (tag, kind, item) DO UPDATE SET version = EXCLUDED.version, expires_at = EXCLUDED.expires_at,
            counted = EXCLUDED.counted, parts = EXCLUDED.parts, value = EXCLUDED.value";
    /// Rows that are locked, too.
    extend_rows = "INSERT INTO bailiwick.records AS r (tag, version, kind, item, expires_at, parts, value)
        SELECT $1::bytea, $2::bigint, *, 0, ''::bytea FROM unnest($3::smallint[], $4::bytea[], $5::bigint[])
        ON CONFLICT (tag, kind, item) DO UPDATE SET version = EXCLUDED.version, expires_at = EXCLUDED.expires_at";
    delete_rows = "DELETE FROM bailiwick.records WHERE tag = $1 AND kind = ANY ($2::smallint[])
        AND item = ANY ($3::bytea[]) AND (kind, item) IN (SELECT * FROM unnest($2::smallint[], $3::bytea[]))";
    delete_blobs = "DELETE FROM bailiwick.blobs WHERE tag = $1 AND kind = ANY ($2::smallint[])
        AND item = ANY ($3::bytea[]) AND (kind, item) IN (SELECT * FROM unnest($2::smallint[], $3::bytea[]))";
    insert_blobs = "INSERT INTO bailiwick.blobs (tag, kind, item, part, bytes)
        SELECT $1::bytea, $2::smallint, $3::bytea, * FROM unnest($4::smallint[], $5::bytea[])";
    add_usage = "INSERT INTO bailiwick.usage AS u (tag, shard, kind, items, bytes)
        SELECT $1::bytea, $2::smallint, * FROM unnest($3::smallint[], $4::bigint[], $5::bigint[])
        ON CONFLICT (tag, kind, shard) DO UPDATE SET items = u.items + EXCLUDED.items, bytes = u.bytes + EXCLUDED.bytes";
    add_wakes = "INSERT INTO bailiwick.wakes (tag, kind, at)
        SELECT $1::bytea, * FROM unnest($2::smallint[], $3::bigint[]) ON CONFLICT DO NOTHING";
    /// After the token of a commit that was written. It only reads if the kind is due early enough.
    lower_due = "INSERT INTO bailiwick.due AS d (tag, kind, at)
        SELECT $1::bytea, u.kind, u.at FROM unnest($2::smallint[], $3::bigint[]) AS u (kind, at)
        WHERE NOT EXISTS (SELECT FROM bailiwick.due AS e WHERE e.tag = $1 AND e.kind = u.kind AND e.at <= u.at)
        AND EXISTS (SELECT FROM bailiwick.tokens WHERE tag = $1 AND token = $4)
        ORDER BY u.kind
        ON CONFLICT (tag, kind) DO UPDATE SET at = least(d.at, EXCLUDED.at)";
    /// Returns a value if it and those before it fit into $6 bytes, otherwise its size. A value in parts counts as full
    /// parts of 1 MiB.
    get = read!("SELECT r.number, r.version, r.expires_at,
            CASE WHEN r.version IS DISTINCT FROM r.known AND r.total <= $6 THEN r.value END, b.bytes,
            CASE WHEN r.total > $6 THEN r.size END
        FROM (SELECT *, (sum(size) OVER (ORDER BY number))::bigint AS total FROM (
            SELECT w.*, r.*, CASE WHEN r.version IS NOT DISTINCT FROM w.known THEN 0
                WHEN r.parts > 0 THEN r.parts * 1048576::bigint ELSE octet_length(r.value) END AS size
            FROM unnest($2::smallint[], $3::bytea[], $4::bigint[]) WITH ORDINALITY AS w (kind, item, known, number)
            CROSS JOIN LATERAL (SELECT version, expires_at, parts, value FROM bailiwick.records
                WHERE tag = $1 AND kind = w.kind AND item = w.item AND (expires_at IS NULL OR expires_at > $5)
                OFFSET 0) AS r) AS sized) AS r
        LEFT JOIN LATERAL (SELECT part, bytes FROM bailiwick.blobs WHERE r.parts > 0 AND r.size > 0 AND r.total <= $6
            AND tag = $1 AND kind = r.kind AND item = r.item OFFSET 0) AS b ON true
        ORDER BY r.number, b.part");
    scan = read!("SELECT r.item, r.version, r.expires_at, CASE WHEN r.total <= $7 THEN r.value END, b.bytes,
            CASE WHEN r.total > $7 THEN r.size END
        FROM (SELECT *, (sum(size) OVER (ORDER BY item))::bigint AS total FROM (
            SELECT item, version, expires_at, parts, value,
                CASE WHEN parts > 0 THEN parts * 1048576::bigint ELSE octet_length(value) END AS size
            FROM bailiwick.records
            WHERE tag = $1 AND kind = $2 AND item >= $3 AND item <= $4 AND (expires_at IS NULL OR expires_at > $5)
            ORDER BY item LIMIT $6) AS sized) AS r
        LEFT JOIN bailiwick.blobs AS b
            ON r.parts > 0 AND r.total <= $7 AND b.tag = $1 AND b.kind = $2 AND b.item = r.item
        WHERE r.total - r.size <= $7 ORDER BY r.item, b.part");
    scan_back = read!("SELECT r.item, r.version, r.expires_at, CASE WHEN r.total <= $7 THEN r.value END, b.bytes,
            CASE WHEN r.total > $7 THEN r.size END
        FROM (SELECT *, (sum(size) OVER (ORDER BY item DESC))::bigint AS total FROM (
            SELECT item, version, expires_at, parts, value,
                CASE WHEN parts > 0 THEN parts * 1048576::bigint ELSE octet_length(value) END AS size
            FROM bailiwick.records
            WHERE tag = $1 AND kind = $2 AND item >= $3 AND item <= $4 AND (expires_at IS NULL OR expires_at > $5)
            ORDER BY item DESC LIMIT $6) AS sized) AS r
        LEFT JOIN bailiwick.blobs AS b
            ON r.parts > 0 AND r.total <= $7 AND b.tag = $1 AND b.kind = $2 AND b.item = r.item
        WHERE r.total - r.size <= $7 ORDER BY r.item DESC, b.part");
    due = read!("SELECT tag, kind FROM bailiwick.due WHERE at <= $1 AND (kind = $3) = $4
        ORDER BY at, tag, kind LIMIT $2");
    /// Some expired rows of a kind, locked in key order.
    lock_expired = "SELECT item, counted, parts FROM bailiwick.records
        WHERE tag = $1 AND kind = $2 AND expires_at <= $3 AND item IN (
            SELECT item FROM bailiwick.records WHERE tag = $1 AND kind = $2 AND expires_at <= $3
            ORDER BY expires_at LIMIT $4)
        ORDER BY item FOR UPDATE";
    /// Locks the usage of a kind, whether its rows exist or not: no commit that changes the due time of the kind is in
    /// progress afterwards.
    lock_usage = "INSERT INTO bailiwick.usage AS u (tag, shard, kind, items, bytes)
        SELECT $1::bytea, shard, $2::smallint, 0, 0 FROM generate_series(0, 15) AS shard
        ON CONFLICT (tag, kind, shard) DO UPDATE SET items = u.items";
    fold_usage = "DELETE FROM bailiwick.usage WHERE tag = $1 AND kind = $2 AND items = 0 AND bytes = 0";
    drop_wakes = "DELETE FROM bailiwick.wakes WHERE tag = $1 AND kind = $2 AND at <= $3";
    /// The next due time of a kind.
    next_due = "SELECT least(
        (SELECT min(expires_at) FROM bailiwick.records WHERE tag = $1 AND kind = $2 AND expires_at IS NOT NULL),
        (SELECT min(at) FROM bailiwick.wakes WHERE tag = $1 AND kind = $2))";
    set_due = "INSERT INTO bailiwick.due (tag, kind, at) VALUES ($1, $2, $3)
        ON CONFLICT (tag, kind) DO UPDATE SET at = EXCLUDED.at";
    drop_due = "DELETE FROM bailiwick.due WHERE tag = $1 AND kind = $2";
    mark_erased = "INSERT INTO bailiwick.tenants (tag, erased_at)
        VALUES ($1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)
        ON CONFLICT (tag) DO UPDATE SET erased_at = EXCLUDED.erased_at";
    erase_rows = "DELETE FROM bailiwick.records WHERE tag = $1 AND (kind, item) IN (
        SELECT kind, item FROM bailiwick.records WHERE tag = $1 ORDER BY kind, item LIMIT 512)";
    erase_blobs = "DELETE FROM bailiwick.blobs WHERE tag = $1 AND (kind, item, part) IN (
        SELECT kind, item, part FROM bailiwick.blobs WHERE tag = $1 ORDER BY kind, item, part LIMIT 64)";
    erase_usage = "DELETE FROM bailiwick.usage WHERE tag = $1";
    erase_wakes = "DELETE FROM bailiwick.wakes WHERE tag = $1";
    erase_tokens = "DELETE FROM bailiwick.tokens WHERE tag = $1";
    erase_due = "DELETE FROM bailiwick.due WHERE tag = $1 AND kind <> $2";
    /// The time at which rows that were written across the erase are removed.
    set_second_pass = "INSERT INTO bailiwick.due (tag, kind, at)
        SELECT tag, $2, erased_at + $3 FROM bailiwick.tenants WHERE tag = $1
        ON CONFLICT (tag, kind) DO UPDATE SET at = EXCLUDED.at";
    /// The tags that may have rows, a few at a time.
    tags = read!("SELECT tag FROM bailiwick.tenants WHERE tag > $1 AND erased_at IS NULL ORDER BY tag LIMIT 256");
    /// Rows of a tag after a place, until their values have 8 MiB together.
    export_rows = read!("SELECT kind, item, version, expires_at, counted, parts, value FROM (
            SELECT kind, item, version, expires_at, counted, parts, value,
                sum(octet_length(value)) OVER (ORDER BY kind, item) - octet_length(value) AS before
            FROM (SELECT * FROM bailiwick.records WHERE tag = $1 AND (kind, item) > ($2, $3)
                ORDER BY kind, item LIMIT 256) AS few) AS sized
        WHERE before < 8388608 ORDER BY kind, item");
    export_blobs = read!("SELECT bytes FROM bailiwick.blobs WHERE tag = $1 AND kind = $2 AND item = $3 ORDER BY part");
    export_wakes = read!("SELECT kind, at FROM bailiwick.wakes WHERE tag = $1");
    slot = read!("SELECT generation, value FROM bailiwick.headers WHERE name = $1");
    create_slot = "INSERT INTO bailiwick.headers (name, generation, value) VALUES ($1, 0, $2) ON CONFLICT DO NOTHING";
    replace_slot = "UPDATE bailiwick.headers SET generation = generation + 1, value = $3
        WHERE name = $1 AND generation = $2";
    wipe_slot = "DELETE FROM bailiwick.headers WHERE name = $1 AND value = $2";
    slot_names = read!("SELECT name FROM bailiwick.headers WHERE name > $1 ORDER BY name LIMIT $2");
    /// Whether another connection exists that may write, except those of owners and superusers, which run no store.
    others = "SELECT EXISTS (SELECT FROM pg_stat_activity AS a JOIN pg_roles AS r ON r.oid = a.usesysid
        WHERE a.datname = current_database() AND a.application_name <> current_setting('application_name')
            AND NOT r.rolsuper AND has_table_privilege(r.oid, 'bailiwick.headers', 'UPDATE')
            AND r.oid <> (SELECT relowner FROM pg_class WHERE oid = 'bailiwick.headers'::regclass))";
    clock = read!("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS clock");
    health = "SELECT current_setting('synchronous_commit'), current_setting('fsync'),
        current_setting('full_page_writes'), pg_is_in_recovery()";
}

#[cfg(test)]
mod tests {
    use super::{NAMES, TEXTS};

    #[test]
    fn every_statement_on_a_tenants_table_names_the_tag() {
        for text in TEXTS {
            let is_tenants = ["records", "blobs", "usage", "wakes", "tokens"]
                .iter()
                .any(|table| text.contains(&format!("bailiwick.{table}")));
            assert!(!is_tenants || text.contains("tag = $1") || text.contains("(tag"), "{text}");
        }
    }

    #[test]
    fn every_statement_that_only_reads_asks_whether_a_standby_answers() {
        // They follow a statement in their transaction that a standby refuses: a lock, a version, a row.
        let comes_after_a_write = ["others", "read_token", "next_due"];
        for (name, text) in NAMES.iter().zip(TEXTS) {
            let writes = ["INSERT", "UPDATE", "DELETE", "nextval"].iter().any(|word| text.contains(word));
            let is_safe = writes || text.contains("pg_is_in_recovery()") || comes_after_a_write.contains(name);
            assert!(is_safe, "{name}");
        }
    }
}
