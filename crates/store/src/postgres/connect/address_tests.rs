//! Tests of addresses.
#![allow(clippy::unwrap_used, reason = "tests may panic")]
use super::*;

#[test]
fn the_url_of_another_role_has_none_of_the_first_ones_settings() {
    let as_app = |url: &str, password| Address::parse(url).unwrap().as_role("my db", "app@x", password);
    assert_eq!(
        as_app("postgres://owner:p%40@host:5433/db?sslmode=require&connect_timeout=3", Some("s/1")),
        "postgres://app%40x:s%2F1@host:5433/my%20db?sslmode=require&connect_timeout=3"
    );
    assert_eq!(as_app("postgresql://me@a,b", None), "postgres://app%40x@a:5432,b:5432/my%20db");
    // Every setting, in the query, with every way to name the host.
    for place in
        ["postgres://me@host:5433/db", "postgres://boss:canary@host:5433", "postgres:///?user=me&host=host&port=5433"]
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
    assert_eq!(Address::parse("nothing").err(), Some(OpenError::Address));
}

#[test]
fn tls_is_required_or_disabled_and_never_optional() {
    for weak in ["sslmode=prefer", "sslmode=require&sslmode=prefer", "sslmode=prefer&connect_timeout=1"] {
        for host in ["localhost", "db.example", "%2Ftmp"] {
            assert_eq!(parse(&format!("postgres://me@{host}/db?{weak}")).err(), Some(OpenError::Weak), "{weak}");
        }
    }
    for unknown in ["sslmode=allow", "ssl%6Dode=require", "SSLMODE=require", "sslmode", "sslmode=", "=require"] {
        assert_eq!(parse(&format!("postgres://me@host/db?{unknown}")).err(), Some(OpenError::Address), "{unknown}");
    }
    let mode = |url| parse(url).unwrap().get_ssl_mode();
    // A host name is not the address that it resolves to.
    assert_eq!(mode("postgres://me@localhost/db?hostaddr=10.1.2.3"), SslMode::Require);
    assert_eq!(mode("postgres://me@localhost/db?hostaddr=127.0.0.1"), SslMode::Disable);
}

#[test]
fn text_that_is_no_url_is_refused_although_the_client_would_accept_it() {
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
        assert_eq!(Address::parse(url).err(), Some(OpenError::Address), "{url}");
    }
}

#[test]
fn a_place_is_shown_without_password_and_settings() {
    let place = |url| Address::parse(url).unwrap().place();
    assert_eq!(place("postgres://me:secret@host/db?sslmode=disable"), "postgres://me@host:5432/db");
    assert_eq!(place("postgresql://me@host:5432/db?password=secret"), "postgres://me@host:5432/db");
    assert_eq!(place("postgres://a%40b:se%2Fcret@a:1,[::1]:2"), "postgres://a%40b@a:1,[::1]:2/a%40b");
    assert_eq!(place("postgres://me@%2Ftmp%2Fsockets/db"), "postgres://me@%2Ftmp%2Fsockets:5432/db");
    for wrong in ["postgres://me:half@secret@host/db", "postgres://host/db", "postgres:///db", "mysql://me@host/db"] {
        assert_eq!(Address::parse(wrong).err(), Some(OpenError::Address), "{wrong}");
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
