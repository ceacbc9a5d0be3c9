//! Files over plain HTTP/1.1 (RFC 9112). What a server sends is measured before
//! it is kept: its head, its body, its speed and its redirects have limits.

use std::fmt;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::names::Resolver;
use super::url::Url;

const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// Without a byte.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// After this time a server must have sent so many bytes a second.
const GRACE: Duration = Duration::from_secs(60);
const SPEED_MIN: u64 = 1024;

const HEAD_MAX: usize = 64 << 10;
const HEADERS_MAX: usize = 100;
const REDIRECTS_MAX: usize = 5;
/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 4;
/// A line before a piece of a body (RFC 9112, 7.1), and those behind the last.
const CHUNK_LINE_MAX: u64 = 4096;
const TRAILERS_MAX: usize = 100;

/// Why there is no file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The server has no such file.
    NotFound(String),
    /// Anything else.
    Failed(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(url) => write!(f, "{url}: there is no such file"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Fault {}

/// Who fetches, and by what way.
#[derive(Debug, Clone, Default)]
pub struct Client {
    /// Where names are looked up.
    pub resolver: Resolver,
    /// `http_proxy`, and the hosts of `no_proxy` that need none.
    pub proxy: Option<Url>,
    /// Names, and ends of names.
    pub direct: Vec<String>,
}

/// The part of an answer that is needed here.
struct Head {
    status: u16,
    reason: String,
    length: Option<u64>,
    is_chunked: bool,
    location: Option<String>,
}

impl Client {
    /// Gives the file at `url` to `sink`, piece by piece: at most `limit` bytes.
    ///
    /// # Errors
    /// It cannot be had, or is longer; an error of the sink.
    pub fn get(
        &self,
        url: &Url,
        limit: u64,
        sink: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<u64, Fault> {
        let mut at = url.clone();
        for _ in 0..=REDIRECTS_MAX {
            let failed = |why: String| Fault::Failed(format!("{at}: {why}"));
            let mut stream = self.ask(&at).map_err(failed)?;
            let head = head(&mut stream).map_err(|error| failed(words(&error)))?;
            match head.status {
                200 => {
                    let body = body(&mut stream, &head, limit, sink);
                    return body.map_err(|error| failed(words(&error)));
                }
                301 | 302 | 303 | 307 | 308 => {
                    let to = head
                        .location
                        .ok_or_else(|| failed("it leads nowhere".into()))?;
                    let next = at.redirected(&to);
                    at = next.map_err(|why| failed(format!("it leads on to {why}")))?;
                }
                404 | 410 => return Err(Fault::NotFound(at.to_string())),
                status => return Err(failed(format!("it answers {status} {}", head.reason))),
            }
        }
        let why = format!("{url}: it leads on more than {REDIRECTS_MAX} times");
        Err(Fault::Failed(why))
    }

    /// The whole file, in memory.
    ///
    /// # Errors
    /// Like [`Client::get`].
    pub fn whole(&self, url: &Url, limit: u64) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::new();
        self.get(url, limit, &mut |piece| {
            bytes.extend(piece);
            Ok(())
        })?;
        Ok(bytes)
    }

    /// The proxy for a host, where one is to be used.
    fn proxy_for(&self, host: &str) -> Option<&Url> {
        let host = host.to_ascii_lowercase();
        let is_direct = self.direct.iter().any(|name| {
            let name = name.trim().trim_start_matches('.').to_ascii_lowercase();
            name == "*" || host == name || (!name.is_empty() && host.ends_with(&format!(".{name}")))
        });
        self.proxy.as_ref().filter(|_| !is_direct)
    }

    fn ask(&self, url: &Url) -> Result<BufReader<Watched>, String> {
        let proxy = self.proxy_for(&url.host);
        let mut stream = self.connect(proxy.unwrap_or(url))?;
        let what = match proxy {
            Some(_) => url.to_string(),
            None => url.path.clone(),
        };
        let request = format!(
            "GET {what} HTTP/1.1\r\nHost: {}\r\nUser-Agent: lifeboot/{}\r\n\
             Accept: */*\r\nConnection: close\r\n\r\n",
            url.authority(),
            env!("CARGO_PKG_VERSION"),
        );
        let sent = stream.write_all(request.as_bytes());
        sent.map_err(|error| format!("it takes no request: {error}"))?;
        Ok(BufReader::with_capacity(1 << 16, Watched::new(stream)))
    }

    fn connect(&self, to: &Url) -> Result<TcpStream, String> {
        let mut why = "it has no address".to_owned();
        let addresses = self.resolver.resolve(&to.host)?;
        for address in addresses.into_iter().take(ADDRESSES_MAX) {
            let address = SocketAddr::new(address, to.port);
            let opened = TcpStream::connect_timeout(&address, CONNECT_PATIENCE);
            let opened = opened.and_then(|stream| {
                stream.set_read_timeout(Some(SILENCE_MAX))?;
                stream.set_write_timeout(Some(SILENCE_MAX))?;
                Ok(stream)
            });
            match opened {
                Ok(stream) => return Ok(stream),
                Err(error) => why = format!("no connection to {address}: {error}"),
            }
        }
        Err(why)
    }
}

/// A stream that must not be too slow.
struct Watched {
    stream: TcpStream,
    started: Instant,
    read: u64,
}

impl Watched {
    fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            started: Instant::now(),
            read: 0,
        }
    }
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let seconds = self.started.elapsed();
        if seconds > GRACE && self.read / seconds.as_secs().max(1) < SPEED_MIN {
            return Err(io::Error::other("the server is too slow"));
        }
        let read = self.stream.read(buffer)?;
        self.read += read as u64;
        Ok(read)
    }
}

fn words(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => "the server fell silent".into(),
        _ => error.to_string(),
    }
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

/// Reads up to the empty line; an answer that only announces one is passed over.
fn head(stream: &mut impl BufRead) -> io::Result<Head> {
    let mut bytes = Vec::new();
    loop {
        let limit = (HEAD_MAX - bytes.len()) as u64;
        let read = stream.take(limit).read_until(b'\n', &mut bytes)?;
        if read == 0 {
            return Err(wrong(match bytes.len() < HEAD_MAX {
                true => "the answer ends within its head",
                false => "the head of the answer is too long",
            }));
        }
        if !matches!(
            bytes.as_slice(),
            [.., b'\n', b'\n'] | [.., b'\n', b'\r', b'\n']
        ) {
            continue;
        }
        let head = parsed(&bytes)?;
        if head.status >= 200 {
            return Ok(head);
        }
        bytes.clear();
    }
}

fn parsed(bytes: &[u8]) -> io::Result<Head> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let told = response.parse(bytes);
    if !told.is_ok_and(|told| told.is_complete()) {
        return Err(wrong("the answer is not HTTP"));
    }
    let mut head = Head {
        status: response.code.unwrap_or(0),
        reason: response.reason.unwrap_or_default().to_owned(),
        length: None,
        is_chunked: false,
        location: None,
    };
    for header in response.headers.iter() {
        let value = String::from_utf8_lossy(header.value);
        let value = value.trim();
        match header.name.to_ascii_lowercase().as_str() {
            "content-length" => {
                let length = value
                    .parse()
                    .map_err(|_| wrong("its length is no number"))?;
                if head.length.is_some_and(|other| other != length) {
                    return Err(wrong("it tells two lengths"));
                }
                head.length = Some(length);
            }
            "transfer-encoding" if value.eq_ignore_ascii_case("chunked") => head.is_chunked = true,
            "transfer-encoding" | "content-encoding" if value.eq_ignore_ascii_case("identity") => {}
            "transfer-encoding" | "content-encoding" => {
                return Err(wrong(&format!("it is packed as {value}, unasked")));
            }
            "location" => head.location = Some(value.to_owned()),
            _ => {}
        }
    }
    Ok(head)
}

/// The body, in whatever way its end is told.
fn body(
    stream: &mut impl BufRead,
    head: &Head,
    limit: u64,
    sink: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<u64> {
    let too_long = || wrong(&format!("it is longer than the {limit} bytes expected"));
    if head.is_chunked {
        return chunks(stream, limit, sink);
    }
    if head.length.is_some_and(|length| length > limit) {
        return Err(too_long());
    }
    let most = head.length.unwrap_or(limit.saturating_add(1));
    let read = pump(stream, most, sink)?;
    match head.length {
        Some(length) if read < length => {
            Err(wrong(&format!("it ends after {read} of {length} bytes")))
        }
        None if read > limit => Err(too_long()),
        _ => Ok(read),
    }
}

fn chunks(
    stream: &mut impl BufRead,
    limit: u64,
    sink: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<u64> {
    let mut all = 0u64;
    loop {
        let line = line(stream)?;
        let size = httparse::parse_chunk_size(&line);
        let Ok(httparse::Status::Complete((_, size))) = size else {
            return Err(wrong("a piece of it has no length"));
        };
        if size == 0 {
            for _ in 0..TRAILERS_MAX {
                if self::line(stream)?.trim_ascii().is_empty() {
                    return Ok(all);
                }
            }
            return Err(wrong("there is no end of what follows it"));
        }
        all = all.saturating_add(size);
        if all > limit {
            let why = format!("it is longer than the {limit} bytes expected");
            return Err(wrong(&why));
        }
        if pump(stream, size, sink)? < size || !line_is_empty(stream)? {
            return Err(wrong("a piece of it is not as long as it says"));
        }
    }
}

fn line(stream: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    stream.take(CHUNK_LINE_MAX).read_until(b'\n', &mut line)?;
    match line.ends_with(b"\n") {
        true => Ok(line),
        false => Err(wrong("it ends in the middle")),
    }
}

fn line_is_empty(stream: &mut impl BufRead) -> io::Result<bool> {
    Ok(line(stream)?.trim_ascii().is_empty())
}

/// Hands on at most `most` bytes; how many there were.
fn pump(
    stream: &mut impl BufRead,
    most: u64,
    sink: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<u64> {
    let mut read = 0;
    while read < most {
        let buffer = match stream.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let left = usize::try_from(most - read).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        if length == 0 {
            break;
        }
        sink(&buffer[..length])?;
        stream.consume(length);
        read += length as u64;
    }
    Ok(read)
}

#[cfg(test)]
mod tests;
