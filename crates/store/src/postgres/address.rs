//! Where a database is and how it is reached: URLs and TLS.

use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::OpenError;

/// How long a connection may take if the URL does not say.
const CONNECT: Duration = Duration::from_secs(10);
/// After how long without a word a connection is tried: what lies between forgets quiet ones after a few minutes.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// The server's port if the URL does not say.
const PORT: u16 = 5432;

/// The settings of a URL. Unless it says otherwise, a server that is not on this machine must speak TLS, and one that is
/// need not: many come with a certificate that nobody trusts.
///
/// # Errors
/// `Address` if it is none.
pub(super) fn parse(url: &str) -> Result<Config, OpenError> {
    let (place, query) = url.split_once('?').unwrap_or((url, ""));
    let says =
        |setting: &str| query.split('&').any(|pair| pair.split_once('=').is_some_and(|(name, _)| name == setting));
    // What others call so is what is done here whenever TLS is spoken.
    let known = |pair| match pair {
        "sslmode=verify-full" | "sslmode=verify-ca" => "sslmode=require",
        other => other,
    };
    let settings: Vec<&str> = query.split('&').map(known).collect();
    let mut config: Config = format!("{place}?{}", settings.join("&")).parse().map_err(|_| OpenError::Address)?;
    if config.get_hosts().is_empty() {
        return Err(OpenError::Address);
    }
    if !says("keepalives_idle") {
        config.keepalives_idle(KEEPALIVE);
    }
    if !says("sslmode") {
        let is_local = config.get_hosts().iter().all(is_here);
        config.ssl_mode(if is_local { SslMode::Disable } else { SslMode::Require });
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT);
    }
    if config.get_application_name().is_none() {
        config.application_name("bailiwick");
    }
    Ok(config)
}

/// Where a URL leads and as whom, without password and settings: `postgres://role@host:port/database`. Two ways to write
/// one place are one, and it can be shown to anybody who may know that there is a store.
///
/// # Errors
/// `Address` if it is no such URL.
pub(super) fn place(url: &str) -> Result<String, OpenError> {
    let config = parse(url)?;
    let ports = config.get_ports();
    let hosts = config.get_hosts().iter().enumerate().map(|(at, host)| {
        let port = ports.get(at).or(ports.first()).copied().unwrap_or(PORT);
        match host {
            // What is left of a password that was not encoded; nobody's name has it.
            Host::Tcp(name) if name.contains('@') => Err(OpenError::Address),
            // An address of version 6 has colons of its own.
            Host::Tcp(name) if name.contains(':') => Ok(format!("[{name}]:{port}")),
            Host::Tcp(name) => Ok(format!("{name}:{port}")),
            #[cfg(unix)]
            Host::Unix(path) => Ok(format!("{}:{port}", encode(&path.to_string_lossy()))),
        }
    });
    let hosts = hosts.collect::<Result<Vec<_>, _>>()?.join(",");
    let role = config.get_user().ok_or(OpenError::Address)?;
    let database = config.get_dbname().unwrap_or(role);
    Ok(format!("postgres://{}@{hosts}/{}", encode(role), encode(database)))
}

fn is_here(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => matches!(name.as_str(), "localhost" | "127.0.0.1" | "::1"),
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

/// TLS with the certificates that this machine trusts, or those that `SSL_CERT_FILE` names.
pub(super) fn tls() -> Result<MakeRustlsConnect, OpenError> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| OpenError::Unavailable)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// The same place as another role: `postgres://role:password@host/database?…`. A role without password keeps the one it
/// has. `None` if the URL has no host.
pub(super) fn as_role(url: &str, database: &str, role: &str, password: Option<&str>) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let (before, query) = rest.split_once('?').map_or((rest, None), |(before, query)| (before, Some(query)));
    let authority = before.split_once('/').map_or(before, |(authority, _)| authority);
    let hosts = authority.rsplit_once('@').map_or(authority, |(_, hosts)| hosts);
    let password = password.map(|password| format!(":{}", encode(password))).unwrap_or_default();
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    Some(format!("{scheme}://{}{password}@{hosts}/{}{query}", encode(role), encode(database)))
}

fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may panic")]
    use super::*;

    #[test]
    fn a_role_is_put_in_place_of_another() {
        let as_app = |url, password| as_role(url, "my db", "app@x", password).unwrap();
        assert_eq!(
            as_app("postgres://owner:p%40@host:5433/db?a=1", Some("s/1")),
            "postgres://app%40x:s%2F1@host:5433/my%20db?a=1"
        );
        assert_eq!(as_app("postgresql://a,b", None), "postgresql://app%40x@a,b/my%20db");
        assert_eq!(as_role("nothing", "db", "app", None), None);
    }

    #[test]
    fn a_place_is_shown_without_password_and_settings() {
        let place = |url| place(url).unwrap();
        assert_eq!(place("postgres://me:secret@host/db?sslmode=disable"), "postgres://me@host:5432/db");
        assert_eq!(place("postgresql://me@host:5432/db?password=secret"), "postgres://me@host:5432/db");
        assert_eq!(place("postgres://a%40b:se%2Fcret@a:1,[::1]:2"), "postgres://a%40b@a:1,[::1]:2/a%40b");
        assert_eq!(place("postgres://me@%2Ftmp%2Fsockets/db"), "postgres://me@%2Ftmp%2Fsockets:5432/db");
        for wrong in ["postgres://me:half@secret@host/db", "postgres://host/db", "postgres:///db", "mysql://me@host/db"]
        {
            assert_eq!(super::place(wrong), Err(OpenError::Address), "{wrong}");
        }
    }

    #[test]
    fn far_servers_must_speak_tls() {
        let mode = |url| parse(url).unwrap().get_ssl_mode();
        assert_eq!(mode("postgres://me@127.0.0.1/db"), SslMode::Disable);
        assert_eq!(mode("postgres://me@127.0.0.1/db?sslmode=require"), SslMode::Require);
        assert_eq!(mode("postgres://me@127.0.0.1/db?sslmode=verify-full"), SslMode::Require);
        assert_eq!(parse("postgres://me@host/db").unwrap().get_keepalives_idle(), KEEPALIVE);
        let own = parse("postgres://me@host/db?keepalives_idle=7").unwrap();
        assert_eq!(own.get_keepalives_idle(), Duration::from_secs(7));
        assert_eq!(mode("postgres://me@db.example/db"), SslMode::Require);
        assert_eq!(mode("postgres://me@localhost,db.example/db"), SslMode::Require);
        assert_eq!(mode("postgres://me@db.example/db?sslmode=disable"), SslMode::Disable);
        assert!(matches!(parse("postgres:///db"), Err(OpenError::Address)));
        assert!(matches!(parse("postgres://me@host/db?nonsense=1"), Err(OpenError::Address)));
    }
}
