//! Making a connection: who may ask for the password and how, and how much a server may say before it is trusted to serve.

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

use super::{OpenError, address, failure};

/// So much a server may say until a connection is in use: what it has to say is a few ten thousand bytes.
const OPENING_BYTES: u64 = 1 << 20;
/// The longest message about authentication.
const AUTHENTICATION_BYTES: usize = 8 << 10;
/// So often a server may have the password hashed, which nothing interrupts: about a second. Servers ask for 4,096.
const MOST_ITERATIONS: u64 = 1_000_000;

/// The messages about authentication that mean something here.
mod authentication {
    pub(super) const TAG: u8 = b'R';
    pub(super) const OK: u32 = 0;
    pub(super) const CLEARTEXT_PASSWORD: u32 = 3;
    pub(super) const MD5_PASSWORD: u32 = 5;
    pub(super) const SASL_CONTINUE: u32 = 11;
}

/// Makes connections to one place.
#[derive(Clone)]
pub(super) struct Dialer {
    config: Config,
    /// `None`: without TLS.
    tls: Option<MakeRustlsConnect>,
}

/// A connection that is not in use yet.
pub(super) struct Dialed {
    pub(super) client: Client,
    is_in_use: Arc<AtomicBool>,
}

impl Dialed {
    /// From now on the server may say as much as it is asked for.
    pub(super) fn in_use(self) -> Client {
        self.is_in_use.store(true, Ordering::Release);
        self.client
    }
}

impl Dialer {
    /// # Errors
    /// As [`address::parse`].
    pub(super) fn to(url: &str) -> Result<Self, OpenError> {
        let mut config = address::parse(url)?;
        if config.get_ssl_mode() != SslMode::Disable {
            return Ok(Self { config, tls: Some(address::tls()?) });
        }
        // The client hands its socket over, to be encrypted, without a word to the server; it is only watched instead.
        config.ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct);
        Ok(Self { config, tls: None })
    }

    pub(super) fn config_mut(&mut self) -> &mut Config {
        &mut self.config
    }

    pub(super) async fn dial(&self) -> Result<Dialed, OpenError> {
        let is_in_use = Arc::<AtomicBool>::default();
        let watch = Watch { is_plain: self.tls.is_none(), is_in_use: Arc::clone(&is_in_use) };
        let refused = |error: tokio_postgres::Error| failure::of_connecting(&error);
        let client = if let Some(tls) = self.tls.clone() {
            let (client, connection) = self.config.connect(Encrypted(tls, watch)).await.map_err(refused)?;
            tokio::spawn(connection);
            client
        } else {
            #[cfg(unix)]
            if let Some(path) = address::socket(&self.config) {
                let connecting = tokio::net::UnixStream::connect(path);
                let stream = connecting.await.map_err(|_| OpenError::Unavailable)?;
                let (client, connection) = self.config.connect_raw(stream, Plain(watch)).await.map_err(refused)?;
                tokio::spawn(connection);
                return Ok(Dialed { client, is_in_use });
            }
            let (client, connection) = self.config.connect(Plain(watch)).await.map_err(refused)?;
            tokio::spawn(connection);
            client
        };
        Ok(Dialed { client, is_in_use })
    }
}

/// What is watched on a connection.
#[derive(Clone)]
struct Watch {
    /// Whether others can read along, and nobody has shown who they are.
    is_plain: bool,
    is_in_use: Arc<AtomicBool>,
}

/// Why a connection is given up. It travels inside the client's error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Watched {
    /// The server asks for the password itself, or for one hash of it.
    #[error("the server asks for the password")]
    AsksForPassword,
    /// The server says more than there is to say, or asks for more work than there is to do.
    #[error("the server says too much")]
    TooMuch,
}

impl Watched {
    /// What was found, if this is why there is no connection.
    pub(super) fn in_error(error: &tokio_postgres::Error) -> Option<Self> {
        let error = std::error::Error::source(error)?.downcast_ref::<io::Error>()?;
        error.get_ref()?.downcast_ref().copied()
    }
}

/// No TLS, but watched.
#[derive(Clone)]
struct Plain(Watch);

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

/// TLS, watched inside.
#[derive(Clone)]
struct Encrypted<M>(M, Watch);

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

/// What a server says, looked at before the client sees it, until the connection is in use.
struct Guarded<S> {
    stream: S,
    watch: Watch,
    channel_binding: fn(&S) -> ChannelBinding,
    said: u64,
    dialogue: Dialogue,
}

impl<S> Guarded<S> {
    fn new(stream: S, watch: Watch, channel_binding: fn(&S) -> ChannelBinding) -> Self {
        let dialogue = Dialogue { is_plain: watch.is_plain, ..Dialogue::default() };
        Self { stream, watch, channel_binding, said: 0, dialogue }
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
        if this.watch.is_in_use.load(Ordering::Acquire) {
            return Poll::Ready(Ok(()));
        }
        let said = buffer.filled().get(before..).unwrap_or_default();
        this.said = this.said.saturating_add(said.len() as u64);
        let seen = if this.said > OPENING_BYTES { Err(Watched::TooMuch) } else { this.dialogue.hear(said) };
        Poll::Ready(seen.map_err(io::Error::other))
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

/// The messages of a server, until it lets the role in.
#[derive(Default)]
struct Dialogue {
    is_plain: bool,
    /// What is there of the message that is being heard: its header, and of one about authentication the whole.
    message: Vec<u8>,
    /// So much of a message comes that means nothing here.
    skipped: usize,
    is_let_in: bool,
}

impl Dialogue {
    fn hear(&mut self, mut said: &[u8]) -> Result<(), Watched> {
        while let (false, [byte, rest @ ..]) = (self.is_let_in, said) {
            if self.skipped > 0 {
                let passed = self.skipped.min(said.len());
                self.skipped -= passed;
                said = said.get(passed..).unwrap_or_default();
                continue;
            }
            self.message.push(*byte);
            said = rest;
            let [tag, a, b, c, d, ..] = self.message[..] else { continue };
            // The length counts itself, not the tag.
            let length = u32::from_be_bytes([a, b, c, d]) as usize;
            if length < 4 {
                return Err(Watched::TooMuch);
            }
            if tag != authentication::TAG {
                self.skipped = length - 4;
                self.message.clear();
            } else if length > AUTHENTICATION_BYTES {
                return Err(Watched::TooMuch);
            } else if self.message.len() == length + 1 {
                self.authenticate()?;
                self.message.clear();
            }
        }
        Ok(())
    }

    /// Looks at a message about authentication that is there as a whole.
    fn authenticate(&mut self) -> Result<(), Watched> {
        let Some((code, body)) = self.message.get(5..).and_then(<[u8]>::split_first_chunk) else { return Ok(()) };
        match u32::from_be_bytes(*code) {
            authentication::OK => self.is_let_in = true,
            authentication::CLEARTEXT_PASSWORD | authentication::MD5_PASSWORD if self.is_plain => {
                return Err(Watched::AsksForPassword);
            }
            authentication::SASL_CONTINUE if iterations(body).is_none_or(|count| count > MOST_ITERATIONS) => {
                return Err(Watched::TooMuch);
            }
            // The client refuses what it does not know.
            _ => {}
        }
        Ok(())
    }
}

/// How often the password is to be hashed, of `r=…,s=…,i=…`.
fn iterations(body: &[u8]) -> Option<u64> {
    let count = body.split(|byte| *byte == b',').find_map(|part| part.strip_prefix(b"i="))?;
    std::str::from_utf8(count).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Dialogue, Watched};

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
        [&[tag], &length.to_be_bytes()[..], body].concat()
    }

    fn authentication(code: u32, body: &[u8]) -> Vec<u8> {
        message(b'R', &[&code.to_be_bytes()[..], body].concat())
    }

    /// What comes of words that arrive in pieces of some length.
    fn heard(said: &[u8], piece: usize, is_plain: bool) -> Result<(), Watched> {
        let mut dialogue = Dialogue { is_plain, ..Dialogue::default() };
        said.chunks(piece).try_for_each(|said| dialogue.hear(said))
    }

    #[test]
    fn a_request_for_the_password_is_found_however_it_arrives() {
        let notice = message(b'N', b"Rub\0\0\0\x08\0\0\0\x03");
        let hello = authentication(10, b"SCRAM-SHA-256\0\0");
        let continued = |count: &str| authentication(11, format!("r=abc,s=c2FsdA==,i={count}").as_bytes());
        let many = "9".repeat(30);
        let refused = Err(Watched::AsksForPassword);
        let cases = [
            (vec![authentication(3, b"")], refused, Ok(())),
            (vec![authentication(5, b"salt")], refused, Ok(())),
            (vec![notice.clone(), authentication(3, b"")], refused, Ok(())),
            (vec![hello.clone(), continued("4096"), authentication(5, b"salt")], refused, Ok(())),
            (vec![notice.clone(), hello.clone(), continued("4096"), authentication(12, b"v=x")], Ok(()), Ok(())),
            // What comes after the role is let in is no request.
            (vec![authentication(0, b""), message(b'D', &authentication(3, b""))], Ok(()), Ok(())),
            (vec![hello.clone(), continued("2147483647")], Err(Watched::TooMuch), Err(Watched::TooMuch)),
            (vec![hello.clone(), continued(&many)], Err(Watched::TooMuch), Err(Watched::TooMuch)),
            (vec![hello, authentication(11, b"r=abc")], Err(Watched::TooMuch), Err(Watched::TooMuch)),
            (vec![authentication(10, &[0; 9_000])], Err(Watched::TooMuch), Err(Watched::TooMuch)),
            (vec![vec![b'N', 0, 0, 0, 3]], Err(Watched::TooMuch), Err(Watched::TooMuch)),
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
