//! A pooler as bad as one may be: every transaction gets a session that knows nothing of the one before. It is one session
//! of the server, in which something is done between transactions.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::spawn;

use parking_lot::Mutex;

use super::server;

pub(crate) struct Pooler {
    /// The URL that leads through it.
    pub(crate) url: String,
    /// What is done between transactions.
    pub(crate) between: Arc<Mutex<&'static str>>,
}

impl Pooler {
    pub(crate) fn before(url: &str, between: &'static str) -> Self {
        let target = server::place(url).to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = url.replace(&target, &listener.local_addr().unwrap().to_string());
        let between = Arc::new(Mutex::new(between));
        let shared = Arc::clone(&between);
        spawn(move || {
            for engine in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(&target) else { continue };
                let between = Arc::clone(&shared);
                spawn(move || {
                    // Until one of the two ends.
                    let _ = carry(&engine, &server, &between);
                    let _ = engine.shutdown(Shutdown::Both);
                    let _ = server.shutdown(Shutdown::Both);
                });
            }
        });
        Self { url, between }
    }
}

/// One request after the other, each with its whole answer.
fn carry(mut engine: &TcpStream, mut server: &TcpStream, between: &Mutex<&str>) -> std::io::Result<()> {
    engine.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let mut length = [0; 4];
    engine.read_exact(&mut length)?;
    let mut startup = vec![0; u32::from_be_bytes(length) as usize - 4];
    engine.read_exact(&mut startup)?;
    server.write_all(&[&length[..], &startup].concat())?;
    // The servers of tests ask for no password.
    answer(server, Some(engine))?;
    loop {
        let message = message(engine)?;
        server.write_all(&message)?;
        let is_request = [b'Q', b'S'].contains(&message[0]);
        if is_request && answer(server, Some(engine))? == b'I' {
            let text = [between.lock().as_bytes(), b"\0"].concat();
            let header = [&b"Q"[..], &(text.len() as u32 + 4).to_be_bytes()].concat();
            server.write_all(&[header, text].concat())?;
            answer(server, None)?;
        }
    }
}

/// Passes an answer on, and says in which state the session is afterwards: `I` is in no transaction.
fn answer(server: &TcpStream, mut engine: Option<&TcpStream>) -> std::io::Result<u8> {
    loop {
        let message = message(server)?;
        if let Some(engine) = &mut engine {
            engine.write_all(&message)?;
        }
        if message[0] == b'Z' {
            return Ok(message[5]);
        }
    }
}

fn message(mut from: &TcpStream) -> std::io::Result<Vec<u8>> {
    let mut message = vec![0; 5];
    from.read_exact(&mut message)?;
    let length = u32::from_be_bytes(message[1..5].try_into().unwrap()) as usize;
    message.resize(length + 1, 0);
    from.read_exact(&mut message[5..])?;
    Ok(message)
}
