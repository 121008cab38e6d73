//! Whoever answers in a server's place: no password is told, and nobody waits or takes in without end.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread::spawn;
use std::time::Duration;

use bailiwick_store::conformance::support::block_on;
use bailiwick_store::postgres::{self, OpenError, PostgresOptions};

const PASSWORD: &str = "S3CRET-PASSWORD";

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    [&[tag], &(body.len() as u32 + 4).to_be_bytes()[..], body].concat()
}

fn authentication(code: u32, body: &[u8]) -> Vec<u8> {
    message(b'R', &[&code.to_be_bytes()[..], body].concat())
}

fn notice() -> Vec<u8> {
    message(b'N', format!("SNOTICE\0C00000\0M{}\0\0", "x".repeat(10_000)).as_bytes())
}

/// What a stranger says, in turn; each after whoever connects has said something.
type Says = fn(&[u8]) -> Vec<u8>;

trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

/// Talks to one caller, then tells what it heard after the first message, and how much it could say.
fn talk(mut wire: impl Wire, says: &[Says], then: Option<Says>) -> (Vec<u8>, usize) {
    let (mut heard, mut said, mut buffer) = (Vec::new(), 0, vec![0; 64 * 1024]);
    for (turn, say) in says.iter().enumerate() {
        let length = wire.read(&mut buffer).unwrap_or(0);
        if turn > 0 {
            heard.extend_from_slice(&buffer[..length]);
        }
        let words = say(&buffer[..length]);
        if length == 0 || wire.write_all(&words).is_err() {
            return (heard, said);
        }
        said += words.len();
    }
    while let Some(say) = then {
        let words = say(&[]);
        if wire.write_all(&words).is_err() {
            return (heard, said);
        }
        said += words.len();
    }
    let _ = wire.read_to_end(&mut heard);
    (heard, said)
}

/// A stranger who answers whoever comes, and the URL's place that leads there.
fn stranger(says: &'static [Says], then: Option<Says>) -> (String, Receiver<(Vec<u8>, usize)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().to_string();
    let (heard, hearing) = channel();
    spawn(move || {
        for wire in listener.incoming().flatten() {
            let _ = heard.send(talk(wire, says, then));
        }
    });
    (format!("{place}/app"), hearing)
}

/// One behind a socket of this machine.
#[cfg(unix)]
fn stranger_in(folder: &std::path::Path, says: &'static [Says]) -> (String, Receiver<(Vec<u8>, usize)>) {
    let listener = std::os::unix::net::UnixListener::bind(folder.join(".s.PGSQL.5432")).unwrap();
    let (heard, hearing) = channel();
    spawn(move || {
        for wire in listener.incoming().flatten() {
            let _ = heard.send(talk(wire, says, None));
        }
    });
    (format!("{}/app", folder.to_string_lossy().replace('/', "%2F")), hearing)
}

/// The ways to reach a server with a password.
const WAYS: [fn(&str, Duration) -> Option<OpenError>; 2] = [
    |url, opening| {
        let options = PostgresOptions { opening, ..PostgresOptions::default() };
        url.parse().and_then(|address| block_on(postgres::open(&address, options))).err()
    },
    |url, time| url.parse().and_then(|address| block_on(postgres::setup_within(&address, time))).err(),
];

/// So long that only an answer ends it.
const LONG: Duration = Duration::from_secs(600);

#[test]
fn no_byte_of_the_password_is_sent_without_tls() {
    let asks: [&'static [Says]; 5] = [
        &[|_| authentication(3, b"")],
        &[|_| authentication(5, b"salt")],
        &[|_| authentication(10, b"SCRAM-SHA-256\0\0"), |_| authentication(3, b"")],
        &[|_| authentication(10, b"SCRAM-SHA-256\0\0"), |_| authentication(5, b"salt")],
        &[|_| [authentication(10, b"SCRAM-SHA-256\0\0"), authentication(3, b"")].concat()],
    ];
    for says in asks {
        for way in WAYS {
            let folder = tempfile::tempdir().unwrap();
            let mut strangers = vec![stranger(says, None)];
            #[cfg(unix)]
            strangers.push(stranger_in(folder.path(), says));
            for (place, hearing) in strangers {
                for url in [
                    format!("postgres://me:{PASSWORD}@{place}"),
                    format!("postgres://{place}?user=me&password={PASSWORD}&sslmode=disable"),
                ] {
                    let refused = way(&url, LONG);
                    assert_eq!(refused, Some(OpenError::AsksForPassword), "{url}");
                    let (heard, _) = hearing.recv().unwrap();
                    let told = String::from_utf8_lossy(&heard);
                    assert!(!told.contains(PASSWORD) && !told.contains("md5"), "{told}");
                    // Nothing but the first words of SCRAM, which tell nothing.
                    assert!(heard.is_empty() || told.contains("SCRAM-SHA-256"), "{told}");
                }
            }
        }
    }
}

#[test]
fn preferred_tls_is_refused_before_a_connection() {
    for way in WAYS {
        let (place, hearing) = stranger(&[|_| b"N".to_vec(), |_| authentication(3, b"")], None);
        let url = format!("postgres://me:{PASSWORD}@{place}?sslmode=prefer");
        assert_eq!(way(&url, LONG), Some(OpenError::Weak));
        assert!(hearing.try_recv().is_err(), "nobody was asked");
    }
}

/// Lets everybody in.
fn welcome(_: &[u8]) -> Vec<u8> {
    [authentication(0, b""), message(b'K', &[0; 8]), message(b'Z', b"I")].concat()
}

#[test]
fn a_silent_server_is_given_up() {
    let silences: [&'static [Says]; 4] =
        [&[|_| Vec::new()], &[|_| authentication(0, b"")], &[welcome], &[welcome, |_| message(b'C', b"SET\0")]];
    for says in silences {
        for way in WAYS {
            let (place, _hearing) = stranger(says, None);
            let short = Duration::from_millis(200);
            assert_eq!(way(&format!("postgres://me:x@{place}"), short), Some(OpenError::Unavailable));
        }
    }
}

#[test]
fn a_server_that_never_stops_talking_is_given_up_after_a_few_words() {
    const FEW: usize = 32 << 20;
    let floods: [(&'static [Says], Says); 6] = [
        // Before the role is let in, before it may ask, after it has asked.
        (&[|_| Vec::new()], |_| notice()),
        (&[|_| authentication(0, b"")], |_| notice()),
        (&[welcome, |_| Vec::new()], |_| notice()),
        // Settings, rows, and a message of 2 GB.
        (&[|_| authentication(0, b"")], |_| message(b'S', &[b'a'; 10_000])),
        (&[welcome, |_| Vec::new()], |_| message(b'D', &[0; 100_000])),
        (&[welcome, |_| vec![b'D', 0x7f, 0xff, 0xff, 0xff]], |_| vec![0; 100_000]),
    ];
    for (number, (says, then)) in floods.into_iter().enumerate() {
        for way in WAYS {
            let (place, hearing) = stranger(says, Some(then));
            assert_eq!(way(&format!("postgres://me:x@{place}"), LONG), Some(OpenError::Unavailable), "{number}");
            let (_, said) = hearing.recv().unwrap();
            assert!(said < FEW, "{number}: {said} bytes were taken");
        }
    }
}

#[test]
fn a_server_cannot_have_the_password_hashed_without_end() {
    let says: &'static [Says] = &[
        |_| authentication(10, b"SCRAM-SHA-256\0\0"),
        |heard| {
            let nonce = heard.windows(2).position(|two| two == b"r=").map_or(&[][..], |at| &heard[at + 2..]);
            let challenge = [b"r=", nonce, b"x,s=c2FsdA==,i=2147483647"].concat();
            authentication(11, &challenge)
        },
    ];
    for way in WAYS {
        let (place, _hearing) = stranger(says, None);
        assert_eq!(way(&format!("postgres://me:{PASSWORD}@{place}"), LONG), Some(OpenError::Unavailable));
    }
}
