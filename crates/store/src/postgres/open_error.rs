//! Why a database cannot be opened or set up.

/// The error of opening or setting up a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not a PostgreSQL URL with a role and a host, or one with an unknown setting.
    #[error("the URL is not one of a PostgreSQL database")]
    Address,
    /// The URL asks for TLS only if the server offers it, which an attacker in between can suppress.
    #[error("the URL leaves it to the server whether there is TLS")]
    Weak,
    /// The server cannot be reached, does not answer, or sends more than it should.
    #[error("the database cannot be reached")]
    Unavailable,
    /// The server accepts no more connections, at all or of this role.
    #[error("the server takes no more connections")]
    Crowded,
    /// The server is a standby.
    #[error("the server is a standby")]
    Standby,
    /// The server rejects the role or its password.
    #[error("the server does not let this role in")]
    NotLetIn,
    /// The server asks for the password, or for an equivalent hash, without TLS.
    #[error("the server asks for the password without TLS")]
    AsksForPassword,
    /// Prepared statements or settings of a connection were lost.
    #[error("a pooler hands transactions to different sessions")]
    Pooled,
    /// The database does not exist.
    #[error("there is no such database")]
    NoDatabase,
    /// The server does not support TLS, or this machine does not trust its certificate.
    #[error("the connection cannot be encrypted")]
    Untrusted,
    /// The role is a superuser, bypasses row-level security, creates roles, replicates, or acts on the server; or it may become such a
    /// role.
    #[error("the role may do what passes by row-level security")]
    Privileged,
    /// The policies of the tables or the privileges of the role are not those of a set-up.
    #[error("the policies or the role's rights are not those of a set-up")]
    Altered,
    /// The role owns the tables, or may become their owner.
    #[error("the role owns the tables")]
    Owner,
    /// The role lacks the privileges for a set-up.
    #[error("the role may not set the database up")]
    NotOwner,
    /// The schema belongs to another role, or contains something else.
    #[error("something else is in the schema")]
    Occupied,
    /// The role of the application already exists, from elsewhere.
    #[error("the role is there already")]
    RoleTaken,
    /// The server rejected the changes, with this SQLSTATE.
    #[error("the server refused the set-up")]
    Refused(Option<Code>),
    /// The tables do not exist, or the role may not use them.
    #[error("the database is not set up")]
    NotSetUp,
    /// The tables are those of an older version.
    #[error("the tables are those of an older version")]
    OlderFormat,
    /// The tables are those of a newer version.
    #[error("the tables are those of a newer version")]
    NewerFormat,
    /// The store is being migrated.
    #[error("the store is being moved")]
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
