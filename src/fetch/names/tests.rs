#![allow(clippy::unwrap_used)]
use super::*;
use simple_dns::ResourceRecord;
use simple_dns::rdata::{A, CNAME};

/// A name server that answers two questions, and its address.
fn server(answer: impl Fn(&Packet<'_>) -> Vec<u8> + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0)).unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 1000];
        for _ in 0..2 {
            let (read, from) = socket.recv_from(&mut buffer).unwrap();
            let query = Packet::parse(&buffer[..read]).unwrap();
            socket.send_to(&answer(&query), from).unwrap();
        }
    });
    address
}

fn asking(server: SocketAddr) -> Resolver {
    Resolver {
        hosts: "# x\n192.0.2.9 here.example Alias # mirror.example\n".into(),
        servers: vec![server],
    }
}

#[test]
fn hosts_and_plain_addresses_need_no_server() {
    let nobody = Resolver {
        servers: Vec::new(),
        ..asking(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 9))
    };
    let one = |name| nobody.resolve(name).map(|all| all[0].to_string());
    assert_eq!(one("alias").unwrap(), "192.0.2.9");
    assert_eq!(one("[2001:db8::1]").unwrap(), "2001:db8::1");
    assert_eq!(one("10.0.0.1").unwrap(), "10.0.0.1");
    assert!(one("mirror.example").is_err(), "it stands in a comment");
}

#[test]
fn an_alias_is_followed() {
    let server = server(|query| {
        let mut reply = query.clone().into_reply();
        let record = |name: &'static str, data| {
            ResourceRecord::new(Name::new(name).unwrap(), CLASS::IN, 60, data)
        };
        if query.questions[0].qtype == QTYPE::TYPE(TYPE::A) {
            reply.answers = vec![
                // Of somebody who was not asked about.
                record("evil.example", RData::A(A { address: 1 })),
                record(
                    "Mirror.example",
                    RData::CNAME(CNAME(Name::new("real.example").unwrap())),
                ),
                record(
                    "real.example",
                    RData::A(A {
                        address: 0xc0000201,
                    }),
                ),
            ];
        }
        reply.build_bytes_vec().unwrap()
    });
    let found = asking(server).resolve("mirror.example").unwrap();
    assert_eq!(found, ["192.0.2.1".parse::<IpAddr>().unwrap()]);
}

#[test]
fn a_name_that_is_not_there() {
    let server = server(|query| {
        let mut reply = query.clone().into_reply();
        *reply.rcode_mut() = RCODE::NameError;
        reply.build_bytes_vec().unwrap()
    });
    let error = asking(server).resolve("no.example").unwrap_err();
    assert_eq!(
        error,
        "the name no.example does not resolve: there is no such name"
    );
}

#[test]
fn servers_of_resolv_conf() {
    let found = Resolver::new(
        String::new(),
        "# x\nnameserver 192.0.2.53\nnameserver ::1\nsearch y\n",
    );
    let servers: Vec<String> = found.servers.iter().map(ToString::to_string).collect();
    assert_eq!(servers, ["192.0.2.53:53", "[::1]:53"]);
    let none = Resolver::new(String::new(), "");
    assert_eq!(none.servers[0].to_string(), "127.0.0.1:53");
}
