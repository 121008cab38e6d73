//! The reasons why a database cannot be opened or set up.

/// The error of opening or setting up a database. Its text is for the caller: it says what to do, and has no text of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not a PostgreSQL URL with a role and a host, or one with an unknown setting.
    #[error(
        "This is no URL of a PostgreSQL database: postgres://role:password@host:5432/database, with percent-encoded parts and known settings, such as ?sslmode=require."
    )]
    Address,
    /// The URL asks for TLS only if the server offers it, which an attacker in between can suppress.
    #[error(
        "With ?sslmode=prefer, an attacker on the network can turn encryption off. Write ?sslmode=require, or ?sslmode=disable for a network that you trust."
    )]
    Weak,
    /// The server cannot be reached, does not answer, or sends more than it should.
    #[error(
        "The database cannot be reached, or what answers there is no database. Check host and port, and that the server runs, then try again."
    )]
    Unavailable,
    /// The server accepts no more connections, at all or of this role.
    #[error(
        "The database accepts no more connections. Lower `connections` of the processes that use it, or raise the server's max_connections or the role's limit."
    )]
    Crowded,
    /// The server is a standby.
    #[error(
        "The server in the URL is a standby, which accepts no changes. Name the primary, or all servers and target_session_attrs=read-write."
    )]
    Standby,
    /// The server rejects the role or its password.
    #[error(
        "The database rejects this role or its password. Check both in the URL; `npx bailiwick setup <owner url>` printed the password once."
    )]
    NotLetIn,
    /// The server asks for the password, or for an equivalent hash, without TLS.
    #[error(
        "The server asks for the password itself or an MD5 hash of it, and the connection is not encrypted: it was not sent. Have the server use scram-sha-256 (in pg_hba.conf, and password_encryption when the role gets its password), or add ?sslmode=require to the URL."
    )]
    AsksForPassword,
    /// Prepared statements or settings of a connection were lost.
    #[error("a pooler hands transactions to different sessions")]
    Pooled,
    /// The database does not exist.
    #[error("The server has no such database. Check its name in the URL, or create it.")]
    NoDatabase,
    /// The server does not support TLS, or this machine does not trust its certificate.
    #[error(
        "The connection to the database cannot be encrypted: the server does not support TLS, or this machine does not trust its certificate. Name a file of trusted certificates in SSL_CERT_FILE, or write ?sslmode=disable for a network that you trust."
    )]
    Untrusted,
    /// The role is a superuser, bypasses row-level security, creates roles, replicates, or acts on the server; or it may become such a
    /// role.
    #[error(
        "The role in the URL is a superuser, or may bypass row-level security, create roles, replicate or act on the server, or become a role that does. Use the URL that `npx bailiwick setup <owner url>` prints, and revoke what that role was granted since."
    )]
    Privileged,
    /// The policies of the tables or the privileges of the role are not those of a set-up.
    #[error(
        "The row-level policies of the store's tables, or the privileges of the role in the URL, are not those of the set-up. Run `npx bailiwick setup <owner url>`, which repairs them, and use the URL that it prints."
    )]
    Altered,
    /// The role owns the tables, or may become their owner.
    #[error("The role in the URL owns the store's tables. Use the URL that `npx bailiwick setup <owner url>` prints.")]
    Owner,
    /// The role lacks the privileges for a set-up.
    #[error(
        "The role in the URL may not set the database up. Use one that owns the database and may create roles, or a superuser."
    )]
    NotOwner,
    /// The schema belongs to another role, or contains something else.
    #[error(
        "The database has a schema `bailiwick` that belongs to another role, or contains something else. Nothing was changed. Run the set-up as the role that ran it first, or rename that schema."
    )]
    Occupied,
    /// The role of the application already exists, from elsewhere.
    #[error(
        "This server already has a role bailiwick_<database>, although this database is not set up: it is left from an earlier database, or another program created it. Nothing was changed. Drop or rename that role, then run the set-up again."
    )]
    RoleTaken,
    /// The server rejected the changes, with this SQLSTATE.
    #[error("The database refused the set-up{}, and nothing was changed. Its own log says more.", .0.map(sqlstate).unwrap_or_default())]
    Refused(Option<Code>),
    /// The tables do not exist, or the role may not use them.
    #[error(
        "The database is not set up for this role. Run `npx bailiwick setup <owner url>` once, and use the URL that it prints."
    )]
    NotSetUp,
    /// The tables are those of an older version.
    #[error(
        "The tables are those of an older version of bailiwick. Run `npx bailiwick setup <owner url>`, which brings them up to date."
    )]
    OlderFormat,
    /// The tables are those of a newer version.
    #[error("The tables were made by a newer version of bailiwick. Update bailiwick.")]
    NewerFormat,
    /// The store is being migrated.
    #[error(
        "The store in this database is being migrated. Wait until that has ended, then open the store where it is."
    )]
    Moving,
    /// The store was moved to another place.
    #[error("the store was moved")]
    Moved,
}

/// An SQLSTATE: five digits or capital letters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Code([u8; 5]);

impl Code {
    /// Returns `None` for anything else, which a server may send.
    pub(in crate::postgres) fn of(text: &str) -> Option<Self> {
        let code: [u8; 5] = text.as_bytes().try_into().ok()?;
        code.iter().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()).then_some(Self(code))
    }
}

fn sqlstate(code: Code) -> String {
    format!(" with SQLSTATE {code} (https://www.postgresql.org/docs/current/errcodes-appendix.html)")
}

impl std::fmt::Display for Code {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, formatter)
    }
}
