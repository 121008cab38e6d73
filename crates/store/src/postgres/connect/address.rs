//! Addresses of databases: URLs and TLS.

use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::postgres::open_error::OpenError;

/// The default timeout of connecting.
const CONNECT: Duration = Duration::from_secs(10);
/// The default keep-alive interval: routers forget idle connections after a few minutes.
const KEEPALIVE: Duration = Duration::from_secs(60);
const PORT: u16 = 5432;

/// The settings of a connection. A set-up passes them on to the application.
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
/// The settings of one user: the role, the database, and session options.
const PERSONAL: [&str; 7] = ["application_name", "dbname", "host", "options", "password", "port", "user"];

/// Returns the settings in a URL, not decoded.
fn settings(url: &str) -> impl Iterator<Item = (&str, &str)> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// The address of a database and the role to connect as: a parsed `postgres://` URL. Two addresses are equal if they lead to the same database as the
/// same role, whatever their passwords and settings.
#[derive(Clone)]
pub struct Address {
    config: Box<Config>,
    role: String,
    database: String,
    /// The hosts with their ports.
    hosts: String,
    /// The settings of the connection, as in the URL.
    settings: String,
}

impl Address {
    /// Parses a URL.
    ///
    /// # Errors
    /// `Address` if it is invalid, `Weak` if it makes TLS optional.
    pub fn parse(url: &str) -> Result<Self, OpenError> {
        let config = parse(url)?;
        let role = config.get_user().ok_or(OpenError::Address)?.to_owned();
        let database = config.get_dbname().unwrap_or(&role).to_owned();
        let hosts = hosts(&config)?;
        let kept = settings(url).filter(|(name, _)| CONNECTION.contains(name));
        let settings = kept.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
        Ok(Self { config: Box::new(config), role, database, hosts, settings })
    }

    /// Returns the address without password and settings: `postgres://role@host:port/database`.
    pub fn place(&self) -> String {
        format!("postgres://{}@{}/{}", encode(&self.role), self.hosts, encode(&self.database))
    }

    /// Returns the URL of another role on the same server: `postgres://role:password@host:port/database?…`, with the settings of the connection and none of
    /// the user.
    pub(in crate::postgres) fn as_role(&self, database: &str, role: &str, password: Option<&str>) -> String {
        let password = password.map(|password| format!(":{}", encode(password))).unwrap_or_default();
        let query = if self.settings.is_empty() { String::new() } else { format!("?{}", self.settings) };
        format!("postgres://{}{password}@{}/{}{query}", encode(role), self.hosts, encode(database))
    }

    pub(in crate::postgres) fn config(&self) -> &Config {
        &self.config
    }

    fn identity(&self) -> (&str, &str, &str) {
        (&self.role, &self.hosts, &self.database)
    }
}

impl std::fmt::Debug for Address {
    /// Shows neither password nor settings.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.place())
    }
}

impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for Address {}

impl std::hash::Hash for Address {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl std::str::FromStr for Address {
    type Err = OpenError;

    fn from_str(url: &str) -> Result<Self, OpenError> {
        Self::parse(url)
    }
}

/// Parses a URL. By default a server on another machine must use TLS, and one on this machine need not: many have a self-signed certificate.
///
/// # Errors
/// `Address` if it is invalid, `Weak` if it makes TLS optional.
fn parse(url: &str) -> Result<Config, OpenError> {
    let is_url = ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
    // The client would parse anything else as `host=… password=…`.
    if !is_url || !settings(url).all(|(name, _)| CONNECTION.contains(&name) || PERSONAL.contains(&name)) {
        return Err(OpenError::Address);
    }
    let says = |setting: &str| settings(url).any(|(name, _)| name == setting);
    let place = url.split_once('?').map_or(url, |(place, _)| place);
    let known = settings(url).map(|pair| match pair {
        // TLS always verifies the certificate here.
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

/// Returns the Unix socket of an address.
#[cfg(unix)]
pub(in crate::postgres) fn socket(config: &Config) -> Option<std::path::PathBuf> {
    let [Host::Unix(folder)] = config.get_hosts() else { return None };
    let port = config.get_ports().first().copied().unwrap_or(PORT);
    Some(folder.join(format!(".s.PGSQL.{port}")))
}

/// Returns the hosts with their ports.
fn hosts(config: &Config) -> Result<String, OpenError> {
    let ports = config.get_ports();
    let hosts = config.get_hosts().iter().enumerate().map(|(at, host)| {
        let port = ports.get(at).or(ports.first()).copied().unwrap_or(PORT);
        match host {
            // The rest of a password that was not percent-encoded.
            Host::Tcp(name) if name.contains('@') => Err(OpenError::Address),
            // An IPv6 address.
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

/// Returns TLS with the certificates that this machine trusts, or those in `SSL_CERT_FILE`.
pub(in crate::postgres) fn tls() -> Result<MakeRustlsConnect, OpenError> {
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
#[path = "address_tests.rs"]
mod tests;
