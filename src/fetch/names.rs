//! From a name to addresses: /etc/hosts and the name servers of the rescue
//! system. A static program of glibc has no getaddrinfo(3) to ask.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};

/// So long one server may take to answer, and so often each is asked
/// (resolv.conf(5) has 5 and 2).
const PATIENCE: Duration = Duration::from_secs(3);
const TRIES: usize = 2;

/// Servers that are asked (`MAXNS` of resolv.h).
const SERVERS_MAX: usize = 3;

/// Aliases that are followed from one to the other.
const ALIASES_MAX: usize = 16;

/// Where names are looked up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resolver {
    /// The text of /etc/hosts.
    pub hosts: String,
    /// Name servers.
    pub servers: Vec<SocketAddr>,
}

impl Resolver {
    /// From the text of hosts(5) and of resolv.conf(5).
    pub fn new(hosts: String, conf: &str) -> Self {
        let mut servers: Vec<SocketAddr> = conf
            .lines()
            .filter_map(|line| {
                let mut words = line.split_whitespace();
                (words.next()? == "nameserver").then_some(())?;
                let address: IpAddr = words.next()?.parse().ok()?;
                Some(SocketAddr::new(address, 53))
            })
            .collect();
        servers.truncate(SERVERS_MAX);
        if servers.is_empty() {
            servers.push(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 53));
        }
        Self { hosts, servers }
    }

    /// The addresses of a name, those of version 4 first: they work in more
    /// places.
    ///
    /// # Errors
    /// Nobody knows it, or nobody answers, for people.
    pub fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, String> {
        let bare = name.strip_prefix('[').and_then(|n| n.strip_suffix(']'));
        if let Ok(address) = bare.unwrap_or(name).parse() {
            return Ok(vec![address]);
        }
        let known = self.in_hosts(name);
        if !known.is_empty() {
            return Ok(known);
        }
        let mut found = Vec::new();
        let mut why = "it has no address".to_owned();
        for kind in [TYPE::A, TYPE::AAAA] {
            match self.ask_all(name, kind) {
                Ok(addresses) => found.extend(addresses),
                Err(error) => why = error,
            }
        }
        match found.is_empty() {
            true => Err(format!("the name {name} does not resolve: {why}")),
            false => Ok(found),
        }
    }

    fn in_hosts(&self, name: &str) -> Vec<IpAddr> {
        let mut found = Vec::new();
        for line in self.hosts.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            let Some(Ok(address)) = words.next().map(str::parse::<IpAddr>) else {
                continue;
            };
            if words.any(|word| word.eq_ignore_ascii_case(name)) {
                found.push(address);
            }
        }
        found
    }

    fn ask_all(&self, name: &str, kind: TYPE) -> Result<Vec<IpAddr>, String> {
        let mut why = String::new();
        for _ in 0..TRIES {
            for server in &self.servers {
                match ask(*server, name, kind) {
                    Ok(answer) => return answer,
                    Err(error) => why = format!("{}: {error}", server.ip()),
                }
            }
        }
        Err(why)
    }
}

/// Asks one server. The inner error is its answer, the outer one asks for
/// another server.
fn ask(server: SocketAddr, name: &str, kind: TYPE) -> io::Result<Result<Vec<IpAddr>, String>> {
    let invalid = |error: simple_dns::SimpleDnsError| io::Error::other(error.to_string());
    let mut id = [0; 2];
    io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut id)?;
    let id = u16::from_be_bytes(id);
    let asked = Name::new(name.trim_end_matches('.')).map_err(invalid)?;
    let mut query = Packet::new_query(id);
    query.set_flags(PacketFlag::RECURSION_DESIRED);
    let (qtype, qclass) = (QTYPE::TYPE(kind), QCLASS::CLASS(CLASS::IN));
    query
        .questions
        .push(Question::new(asked.clone(), qtype, qclass, false));
    let query = query.build_bytes_vec().map_err(invalid)?;
    let mut bytes = over_udp(server, &query)?;
    let mut answer = Packet::parse(&bytes).map_err(invalid)?;
    let longer;
    if answer.has_flags(PacketFlag::TRUNCATION) {
        longer = over_tcp(server, &query)?;
        bytes.clear();
        answer = Packet::parse(&longer).map_err(invalid)?;
    }
    let is_ours = answer.id() == id
        && answer.has_flags(PacketFlag::RESPONSE)
        && matches!(answer.questions.as_slice(), [one] if same(&one.qname, &asked) && one.qtype == qtype);
    if !is_ours {
        return Err(io::Error::other("it answers something else"));
    }
    match answer.rcode() {
        RCODE::NoError => Ok(Ok(addresses(&answer, asked, kind))),
        RCODE::NameError => Ok(Err("there is no such name".into())),
        code => Err(io::Error::other(format!("it answers {code:?}"))),
    }
}

/// Those of the name, or of what it is an alias of.
fn addresses(answer: &Packet<'_>, asked: Name<'_>, kind: TYPE) -> Vec<IpAddr> {
    let mut name = asked;
    for _ in 0..ALIASES_MAX {
        let own = || answer.answers.iter().filter(|one| same(&one.name, &name));
        let found: Vec<IpAddr> = own()
            .filter_map(|one| match (&one.rdata, kind) {
                (RData::A(a), TYPE::A) => Some(Ipv4Addr::from(a.address).into()),
                (RData::AAAA(a), TYPE::AAAA) => Some(Ipv6Addr::from(a.address).into()),
                _ => None,
            })
            .collect();
        let alias = own().find_map(|one| match &one.rdata {
            RData::CNAME(alias) => Some(alias.0.clone()),
            _ => None,
        });
        match alias {
            Some(alias) if found.is_empty() => name = alias,
            _ => return found,
        }
    }
    Vec::new()
}

fn same(a: &Name<'_>, b: &Name<'_>) -> bool {
    a.to_string().eq_ignore_ascii_case(&b.to_string())
}

fn over_udp(server: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let any: IpAddr = match server.is_ipv4() {
        true => Ipv4Addr::UNSPECIFIED.into(),
        false => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
    // Answers of others do not reach a connected socket.
    socket.connect(server)?;
    socket.send(query)?;
    let until = Instant::now() + PATIENCE;
    let mut buffer = vec![0; 4096];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "no answer"));
        }
        socket.set_read_timeout(Some(left))?;
        match socket.recv(&mut buffer) {
            // An answer to somebody else, or a late one.
            Ok(read) if buffer.get(..2) != query.get(..2) || read < 12 => {}
            Ok(read) => {
                buffer.truncate(read);
                return Ok(buffer);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// An answer that is too long for one packet (RFC 1035, 4.2.2).
fn over_tcp(server: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let length = u16::try_from(query.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), query].concat())?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests;
