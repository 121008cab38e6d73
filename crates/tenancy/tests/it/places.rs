//! What is said of a store's place by those who open it: no password becomes a path, and nobody waits behind others who
//! found nobody there.

use std::future::Future;
use std::net::TcpListener;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bailiwick_model::Error;
use bailiwick_store::conformance::support::block_on;
use bailiwick_tenancy::StoreOptions;
use bailiwick_tenancy::stores::{self, OpenOptions};

fn options() -> OpenOptions {
    OpenOptions { store: StoreOptions::default(), engine_cache_bytes: None, connections: None, must_exist: false }
}

#[test]
fn callers_that_wait_for_the_same_url_get_the_same_result() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://me:secret@{}/app", listener.local_addr().unwrap());
    type Opening<'a> = Pin<Box<dyn Future<Output = Option<Error>> + 'a>>;
    let open = || -> Opening<'_> { Box::pin(async { stores::open(&url, options()).await.err() }) };
    let mut openings: Vec<Opening<'_>> = (0..5).map(|_| open()).collect();
    // The first asks, the others wait for it.
    for opening in &mut openings {
        assert!(matches!(opening.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Pending));
    }
    // A server that hangs up after a while, once.
    drop(listener.accept().unwrap());
    let told: Vec<_> = openings.into_iter().map(block_on).collect();
    assert!(told.iter().all(|error| matches!(error, Some(Error::StoreUnavailable(_)))), "{told:?}");
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "nobody else asked");
    // Whoever comes later asks anew.
    let mut late = open();
    let _ = late.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    listener.set_nonblocking(false).unwrap();
    drop(listener.accept().unwrap());
    assert!(matches!(block_on(late), Some(Error::StoreUnavailable(_))));
}

#[test]
fn no_url_of_a_database_becomes_a_path_or_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let within = folder.path().display();
    for database in [
        "postgres://me:canary@h/x",
        "postgresql://me:canary@h/x",
        "POSTGRES://me:canary@h/x",
        "postgres:me:canary@h",
        "mysql://me:canary@h/x",
        "host=h password=canary",
        "Password = 'canary'",
        "me:canary@h/x",
        "postgres//me:canary@h/x",
        "h?user=me&Password=canary",
    ] {
        for url in [
            format!("sled:{database}"),
            format!("sled: {database}"),
            format!("sled:{within}/{database}"),
            format!("memory:{database}"),
            format!(" {database}"),
            format!("\"{database}\""),
            format!("SLED:{database}"),
        ] {
            let Err(refused) = block_on(stores::open(&url, options())) else { panic!("{url} was opened") };
            assert!(matches!(refused, Error::InvalidInput(_)), "{url}: {refused:?}");
            assert!(!refused.to_string().contains("canary"), "{refused}");
            let Err(refused) = block_on(stores::migrate(&url, "memory:", options().store.root_key, &<_>::default()))
            else {
                panic!("{url} was moved")
            };
            assert!(!refused.to_string().contains("canary"), "{refused}");
        }
        let store = block_on(stores::open("memory:", options())).unwrap();
        for directory in [database.to_owned(), format!("{within}/{database}")] {
            let Err(refused) = block_on(store.backup(directory.as_ref())) else { panic!("{directory} was made") };
            assert!(matches!(refused, Error::InvalidInput(_)) && !refused.to_string().contains("canary"), "{refused}");
        }
        block_on(store.release());
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was made");
}
