//! Dialing: how a server may ask for the password, and how much it may send before the connection is in use.

use std::future::{Future, Ready, ready};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready as try_ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::config::{SslMode, SslNegotiation};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres::{Client, Config, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::address::{self, Address};
use crate::postgres::failure::{self, Distrusted};
use crate::postgres::open_error::OpenError;

/// The most bytes that a server may send before a connection is in use. It needs some ten thousand.
const OPENING_BYTES: u64 = 1 << 20;
/// The longest authentication message.
const AUTHENTICATION_BYTES: usize = 8 << 10;
/// The most SCRAM iterations, which cannot be interrupted: about a second. Servers ask for 4,096.
const MOST_ITERATIONS: u64 = 1_000_000;

/// The authentication messages that are checked.
mod authentication {
    pub(in crate::postgres) const TAG: u8 = b'R';
    pub(in crate::postgres) const OK: u32 = 0;
    pub(in crate::postgres) const CLEARTEXT_PASSWORD: u32 = 3;
    pub(in crate::postgres) const MD5_PASSWORD: u32 = 5;
    pub(in crate::postgres) const SASL_CONTINUE: u32 = 11;
}

/// Dials one address.
#[derive(Clone)]
pub(in crate::postgres) struct Dialer {
    config: Config,
    /// `None`: no TLS.
    tls: Option<MakeRustlsConnect>,
}

/// A connection that is not in use yet.
pub(in crate::postgres) struct Dialed {
    pub(in crate::postgres) client: Client,
    is_in_use: Arc<AtomicBool>,
}

impl Dialed {
    /// Lifts the limit on what the server may send.
    pub(in crate::postgres) fn in_use(self) -> Client {
        self.is_in_use.store(true, Ordering::Release);
        self.client
    }
}

impl Dialer {
    /// # Errors
    /// `Unavailable` if TLS cannot be configured.
    pub(in crate::postgres) fn to(address: &Address) -> Result<Self, OpenError> {
        let mut config = address.config().clone();
        if config.get_ssl_mode() != SslMode::Disable {
            return Ok(Self { config, tls: Some(address::tls()?) });
        }
        // With direct negotiation the client passes its socket to the TLS layer at once; that of `Plain` only inspects it.
        config.ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct);
        Ok(Self { config, tls: None })
    }

    pub(in crate::postgres) fn config_mut(&mut self) -> &mut Config {
        &mut self.config
    }

    pub(in crate::postgres) async fn dial(&self) -> Result<Dialed, OpenError> {
        let is_in_use = Arc::<AtomicBool>::default();
        let inspection = Inspection { is_plain: self.tls.is_none(), is_in_use: Arc::clone(&is_in_use) };
        let refused = |error: tokio_postgres::Error| failure::of_connecting(&error);
        let client = if let Some(tls) = self.tls.clone() {
            let (client, connection) = self.config.connect(Encrypted(tls, inspection)).await.map_err(refused)?;
            tokio::spawn(connection);
            client
        } else {
            #[cfg(unix)]
            if let Some(path) = address::socket(&self.config) {
                let connecting = tokio::net::UnixStream::connect(path);
                let stream = connecting.await.map_err(|_| OpenError::Unavailable)?;
                let (client, connection) = self.config.connect_raw(stream, Plain(inspection)).await.map_err(refused)?;
                tokio::spawn(connection);
                return Ok(Dialed { client, is_in_use });
            }
            let (client, connection) = self.config.connect(Plain(inspection)).await.map_err(refused)?;
            tokio::spawn(connection);
            client
        };
        Ok(Dialed { client, is_in_use })
    }
}

/// What is inspected on a connection.
#[derive(Clone)]
struct Inspection {
    /// Whether the connection is neither encrypted nor authenticated.
    is_plain: bool,
    is_in_use: Arc<AtomicBool>,
}

/// No TLS, but inspected.
#[derive(Clone)]
struct Plain(Inspection);

impl<S: AsyncRead + AsyncWrite + Unpin> MakeTlsConnect<S> for Plain {
    type Stream = Guarded<S>;
    type TlsConnect = Self;
    type Error = std::convert::Infallible;

    fn make_tls_connect(&mut self, _: &str) -> Result<Self, Self::Error> {
        Ok(self.clone())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsConnect<S> for Plain {
    type Stream = Guarded<S>;
    type Error = std::convert::Infallible;
    type Future = Ready<Result<Guarded<S>, Self::Error>>;

    fn connect(self, stream: S) -> Self::Future {
        ready(Ok(Guarded::new(stream, self.0, |_| ChannelBinding::none())))
    }
}

/// TLS, inspected inside.
#[derive(Clone)]
struct Encrypted<M>(M, Inspection);

type Tls = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;

impl MakeTlsConnect<Socket> for Encrypted<MakeRustlsConnect> {
    type Stream = Guarded<Tls>;
    type TlsConnect = Encrypted<<MakeRustlsConnect as MakeTlsConnect<Socket>>::TlsConnect>;
    type Error = std::convert::Infallible;

    fn make_tls_connect(&mut self, host: &str) -> Result<Self::TlsConnect, Self::Error> {
        Ok(Encrypted(MakeTlsConnect::<Socket>::make_tls_connect(&mut self.0, host)?, self.1.clone()))
    }
}

impl TlsConnect<Socket> for Encrypted<<MakeRustlsConnect as MakeTlsConnect<Socket>>::TlsConnect> {
    type Stream = Guarded<Tls>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Guarded<Tls>>> + Send>>;

    fn connect(self, stream: Socket) -> Self::Future {
        let connecting = self.0.connect(stream);
        Box::pin(async move { Ok(Guarded::new(connecting.await?, self.1, TlsStream::channel_binding)) })
    }
}

/// A stream whose input is inspected until the connection is in use.
struct Guarded<S> {
    stream: S,
    inspection: Inspection,
    channel_binding: fn(&S) -> ChannelBinding,
    received: u64,
    dialogue: Dialogue,
}

impl<S> Guarded<S> {
    fn new(stream: S, inspection: Inspection, channel_binding: fn(&S) -> ChannelBinding) -> Self {
        let dialogue = Dialogue { is_plain: inspection.is_plain, ..Dialogue::default() };
        Self { stream, inspection, channel_binding, received: 0, dialogue }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Guarded<S> {
    fn channel_binding(&self) -> ChannelBinding {
        (self.channel_binding)(&self.stream)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        try_ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        if this.inspection.is_in_use.load(Ordering::Acquire) {
            return Poll::Ready(Ok(()));
        }
        let bytes = buffer.filled().get(before..).unwrap_or_default();
        this.received = this.received.saturating_add(bytes.len() as u64);
        let result =
            if this.received > OPENING_BYTES { Err(Distrusted::TooMuch) } else { this.dialogue.receive(bytes) };
        Poll::Ready(result.map_err(io::Error::other))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

/// A parser of the server's messages until the role is authenticated.
#[derive(Default)]
struct Dialogue {
    is_plain: bool,
    /// The bytes of the current message: its header, and of an authentication message everything.
    message: Vec<u8>,
    /// The bytes of the current message that are still to skip.
    skipped: usize,
    is_authenticated: bool,
}

impl Dialogue {
    fn receive(&mut self, mut bytes: &[u8]) -> Result<(), Distrusted> {
        while let (false, [byte, rest @ ..]) = (self.is_authenticated, bytes) {
            if self.skipped > 0 {
                let passed = self.skipped.min(bytes.len());
                self.skipped -= passed;
                bytes = bytes.get(passed..).unwrap_or_default();
                continue;
            }
            self.message.push(*byte);
            bytes = rest;
            let [tag, a, b, c, d, ..] = self.message[..] else { continue };
            // The length counts itself, not the tag.
            let length = u32::from_be_bytes([a, b, c, d]) as usize;
            if length < 4 {
                return Err(Distrusted::TooMuch);
            }
            if tag != authentication::TAG {
                self.skipped = length - 4;
                self.message.clear();
            } else if length > AUTHENTICATION_BYTES {
                return Err(Distrusted::TooMuch);
            } else if self.message.len() == length + 1 {
                self.authenticate()?;
                self.message.clear();
            }
        }
        Ok(())
    }

    /// Checks a complete authentication message.
    fn authenticate(&mut self) -> Result<(), Distrusted> {
        let Some((code, body)) = self.message.get(5..).and_then(<[u8]>::split_first_chunk) else { return Ok(()) };
        match u32::from_be_bytes(*code) {
            authentication::OK => self.is_authenticated = true,
            authentication::CLEARTEXT_PASSWORD | authentication::MD5_PASSWORD if self.is_plain => {
                return Err(Distrusted::AsksForPassword);
            }
            authentication::SASL_CONTINUE if iterations(body).is_none_or(|count| count > MOST_ITERATIONS) => {
                return Err(Distrusted::TooMuch);
            }
            // The client rejects unknown messages.
            _ => {}
        }
        Ok(())
    }
}

/// Returns the SCRAM iterations in `r=…,s=…,i=…`.
fn iterations(body: &[u8]) -> Option<u64> {
    let count = body.split(|byte| *byte == b',').find_map(|part| part.strip_prefix(b"i="))?;
    std::str::from_utf8(count).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Dialogue, Distrusted};

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
        [&[tag], &length.to_be_bytes()[..], body].concat()
    }

    fn authentication(code: u32, body: &[u8]) -> Vec<u8> {
        message(b'R', &[&code.to_be_bytes()[..], body].concat())
    }

    /// Parses bytes that arrive in pieces of one length.
    fn heard(said: &[u8], piece: usize, is_plain: bool) -> Result<(), Distrusted> {
        let mut dialogue = Dialogue { is_plain, ..Dialogue::default() };
        said.chunks(piece).try_for_each(|said| dialogue.receive(said))
    }

    #[test]
    fn a_request_for_the_password_is_found_however_it_arrives() {
        let notice = message(b'N', b"Rub\0\0\0\x08\0\0\0\x03");
        let hello = authentication(10, b"SCRAM-SHA-256\0\0");
        let continued = |count: &str| authentication(11, format!("r=abc,s=c2FsdA==,i={count}").as_bytes());
        let many = "9".repeat(30);
        let refused = Err(Distrusted::AsksForPassword);
        let cases = [
            (vec![authentication(3, b"")], refused, Ok(())),
            (vec![authentication(5, b"salt")], refused, Ok(())),
            (vec![notice.clone(), authentication(3, b"")], refused, Ok(())),
            (vec![hello.clone(), continued("4096"), authentication(5, b"salt")], refused, Ok(())),
            (vec![notice.clone(), hello.clone(), continued("4096"), authentication(12, b"v=x")], Ok(()), Ok(())),
            // What comes after the role is let in is no request.
            (vec![authentication(0, b""), message(b'D', &authentication(3, b""))], Ok(()), Ok(())),
            (vec![hello.clone(), continued("2147483647")], Err(Distrusted::TooMuch), Err(Distrusted::TooMuch)),
            (vec![hello.clone(), continued(&many)], Err(Distrusted::TooMuch), Err(Distrusted::TooMuch)),
            (vec![hello, authentication(11, b"r=abc")], Err(Distrusted::TooMuch), Err(Distrusted::TooMuch)),
            (vec![authentication(10, &[0; 9_000])], Err(Distrusted::TooMuch), Err(Distrusted::TooMuch)),
            (vec![vec![b'N', 0, 0, 0, 3]], Err(Distrusted::TooMuch), Err(Distrusted::TooMuch)),
        ];
        for (said, plain, encrypted) in cases {
            let said = said.concat();
            for piece in [1, 2, 3, 7, said.len()] {
                assert_eq!(heard(&said, piece, true), plain, "{said:?} by {piece}");
                assert_eq!(heard(&said, piece, false), encrypted, "{said:?} by {piece}");
            }
        }
    }
}
