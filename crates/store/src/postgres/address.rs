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

/// Settings that say how a server is reached. Set-up hands them on to the application.
const CONNECTION: [&str; 11] = [
    "channel_binding",
    "connect_timeout",
    "hostaddr",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "load_balance_hosts",
    "sslmode",
    "sslnegotiation",
    "target_session_attrs",
];
/// Settings of one user of a server: who it is, where it goes, and what it wants there.
const PERSONAL: [&str; 7] = ["application_name", "dbname", "host", "options", "password", "port", "user"];

/// The settings after a URL's `?`, as they are written.
fn settings(url: &str) -> impl Iterator<Item = (&str, &str)> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// The settings of a URL. Unless it says otherwise, a server that is not on this machine must speak TLS, and one that is
/// need not: many come with a certificate that nobody trusts.
///
/// # Errors
/// `Address` if it is none, `Weak` if it asks for TLS only where the server likes it.
pub(super) fn parse(url: &str) -> Result<Config, OpenError> {
    let is_url = ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
    // The client would read anything else as `host=… password=…`.
    if !is_url || !settings(url).all(|(name, _)| CONNECTION.contains(&name) || PERSONAL.contains(&name)) {
        return Err(OpenError::Address);
    }
    let says = |setting: &str| settings(url).any(|(name, _)| name == setting);
    let place = url.split_once('?').map_or(url, |(place, _)| place);
    let known = settings(url).map(|pair| match pair {
        // What others call so is what is done here whenever TLS is spoken.
        ("sslmode", "verify-full" | "verify-ca") => "sslmode=require".to_owned(),
        (name, value) => format!("{name}={value}"),
    });
    let known = known.collect::<Vec<_>>().join("&");
    let mut config: Config = format!("{place}?{known}").parse().map_err(|_| OpenError::Address)?;
    let (hosts, ports, addresses) = (config.get_hosts().len(), config.get_ports().len(), config.get_hostaddrs().len());
    let is_apart = hosts > 1 && config.get_hosts().iter().any(|host| !matches!(host, Host::Tcp(_)));
    if hosts == 0 || is_apart || ![0, 1, hosts].contains(&ports) || ![0, hosts].contains(&addresses) {
        return Err(OpenError::Address);
    }
    if !says("keepalives_idle") {
        config.keepalives_idle(KEEPALIVE);
    }
    if !says("sslmode") {
        let is_local = config.get_hosts().iter().all(is_here);
        let is_local = is_local && config.get_hostaddrs().iter().all(std::net::IpAddr::is_loopback);
        config.ssl_mode(if is_local { SslMode::Disable } else { SslMode::Require });
    }
    if config.get_ssl_mode() == SslMode::Prefer {
        return Err(OpenError::Weak);
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT);
    }
    if config.get_application_name().is_none() {
        config.application_name("bailiwick");
    }
    Ok(config)
}

/// The socket of this machine that a URL leads to, if it does.
#[cfg(unix)]
pub(super) fn socket(config: &Config) -> Option<std::path::PathBuf> {
    let [Host::Unix(folder)] = config.get_hosts() else { return None };
    let port = config.get_ports().first().copied().unwrap_or(PORT);
    Some(folder.join(format!(".s.PGSQL.{port}")))
}

/// Where a URL leads and as whom, without password and settings: `postgres://role@host:port/database`. Two ways to write
/// one place are one, and it can be shown to anybody who may know that there is a store.
///
/// # Errors
/// `Address` if it is no such URL.
pub(super) fn place(url: &str) -> Result<String, OpenError> {
    let config = parse(url)?;
    let role = config.get_user().ok_or(OpenError::Address)?;
    let database = config.get_dbname().unwrap_or(role);
    Ok(format!("postgres://{}@{}/{}", encode(role), hosts(&config)?, encode(database)))
}

/// The hosts of a URL with their ports.
fn hosts(config: &Config) -> Result<String, OpenError> {
    let ports = config.get_ports();
    let hosts = config.get_hosts().iter().enumerate().map(|(at, host)| {
        let port = ports.get(at).or(ports.first()).copied().unwrap_or(PORT);
        match host {
            // What is left of a password that was not encoded; nobody's name has it.
            Host::Tcp(name) if name.contains('@') => Err(OpenError::Address),
            // An address of version 6 has colons of its own.
            Host::Tcp(name) if name.contains(':') => Ok(format!("[{name}]:{port}")),
            Host::Tcp(name) => Ok(format!("{}:{port}", encode(name))),
            #[cfg(unix)]
            Host::Unix(path) => Ok(format!("{}:{port}", encode(&path.to_string_lossy()))),
        }
    });
    Ok(hosts.collect::<Result<Vec<_>, _>>()?.join(","))
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

/// The same place as another role: `postgres://role:password@host:port/database?…`, with the settings that say how the
/// server is reached and none that is the owner's.
///
/// # Errors
/// As [`parse`].
pub(super) fn as_role(url: &str, database: &str, role: &str, password: Option<&str>) -> Result<String, OpenError> {
    let hosts = hosts(&parse(url)?)?;
    let password = password.map(|password| format!(":{}", encode(password))).unwrap_or_default();
    let kept =
        settings(url).filter(|(name, _)| CONNECTION.contains(name)).map(|(name, value)| format!("{name}={value}"));
    let kept = kept.collect::<Vec<_>>().join("&");
    let query = if kept.is_empty() { String::new() } else { format!("?{kept}") };
    Ok(format!("postgres://{}{password}@{hosts}/{}{query}", encode(role), encode(database)))
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
    fn s14_a_role_is_put_in_place_of_another_and_gets_nothing_of_its_own() {
        let as_app = |url: &str, password| as_role(url, "my db", "app@x", password).unwrap();
        assert_eq!(
            as_app("postgres://owner:p%40@host:5433/db?sslmode=require&connect_timeout=3", Some("s/1")),
            "postgres://app%40x:s%2F1@host:5433/my%20db?sslmode=require&connect_timeout=3"
        );
        assert_eq!(as_app("postgresql://a,b", None), "postgres://app%40x@a:5432,b:5432/my%20db");
        // Every setting there is, in the query, with every way to say where it is.
        for place in ["postgres://host:5433/db", "postgres://boss:canary@host:5433", "postgres:///?host=host&port=5433"]
        {
            for name in CONNECTION.iter().chain(&PERSONAL) {
                let value = match *name {
                    "host" | "port" | "hostaddr" => continue,
                    "sslmode" | "channel_binding" => "require",
                    "sslnegotiation" => "postgres",
                    "target_session_attrs" => "any",
                    "load_balance_hosts" => "random",
                    "application_name" | "dbname" | "options" | "password" | "user" => "canary",
                    _ => "1",
                };
                let url = format!("{place}{}{name}={value}", if place.contains('?') { '&' } else { '?' });
                let kept = if CONNECTION.contains(name) { format!("?{name}={value}") } else { String::new() };
                assert_eq!(as_app(&url, Some("s")), format!("postgres://app%40x:s@host:5433/my%20db{kept}"), "{url}");
            }
        }
        let socket = as_app("postgres:///?host=/run/socket&user=boss&password=canary", None);
        assert_eq!(socket, "postgres://app%40x@%2Frun%2Fsocket:5432/my%20db");
        assert_eq!(as_role("nothing", "db", "app", None), Err(OpenError::Address));
    }

    #[test]
    fn s11_tls_is_asked_for_or_done_without_and_nothing_in_between() {
        for weak in ["sslmode=prefer", "sslmode=require&sslmode=prefer", "sslmode=prefer&connect_timeout=1"] {
            for host in ["localhost", "db.example", "%2Ftmp"] {
                assert_eq!(parse(&format!("postgres://me@{host}/db?{weak}")).err(), Some(OpenError::Weak), "{weak}");
            }
        }
        for unknown in ["sslmode=allow", "ssl%6Dode=require", "SSLMODE=require", "sslmode", "sslmode=", "=require"] {
            assert_eq!(parse(&format!("postgres://me@host/db?{unknown}")).err(), Some(OpenError::Address), "{unknown}");
        }
        let mode = |url| parse(url).unwrap().get_ssl_mode();
        // A name is not where it leads.
        assert_eq!(mode("postgres://me@localhost/db?hostaddr=10.1.2.3"), SslMode::Require);
        assert_eq!(mode("postgres://me@localhost/db?hostaddr=127.0.0.1"), SslMode::Disable);
    }

    #[test]
    fn s17_what_is_no_url_is_none_whatever_the_client_would_make_of_it() {
        let wrong = [
            "host=localhost user=me password=canary",
            "password=canary",
            " postgres://me:canary@host/db",
            "POSTGRES://me:canary@host/db",
            "postgres:me:canary@host",
            "postgres:/me:canary@host",
            "postgres://me:canary@/run/socket,host/db",
            "postgres://me:canary@a,b/db?port=1&port=2",
        ];
        for url in wrong {
            assert_eq!(place(url), Err(OpenError::Address), "{url}");
        }
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
