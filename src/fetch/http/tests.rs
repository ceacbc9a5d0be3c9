#![allow(clippy::unwrap_used)]
use super::*;
use std::net::{Ipv4Addr, TcpListener};

/// A server that answers each request with the next of these; gives its address
/// and what it was asked.
fn serve(answers: Vec<Vec<u8>>) -> (Url, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let url = Url::read(&format!("http://127.0.0.1:{port}/a/b")).unwrap();
    let thread = std::thread::spawn(move || {
        let mut asked = Vec::new();
        for answer in answers {
            let (stream, _) = listener.accept().unwrap();
            let mut stream = BufReader::new(stream);
            let mut request = String::new();
            while !request.ends_with("\r\n\r\n") {
                stream.read_line(&mut request).unwrap();
            }
            asked.push(request);
            // The client may hang up first.
            let _ = stream.get_mut().write_all(&answer);
        }
        asked
    });
    (url, thread)
}

fn get(answers: &[&[u8]], limit: u64) -> Result<Vec<u8>, String> {
    let (url, _) = serve(answers.iter().map(|answer| answer.to_vec()).collect());
    let got = Client::default().whole(&url, limit);
    got.map_err(|fault| fault.to_string().replace(&url.authority(), "H"))
}

#[test]
fn bodies_whose_end_is_told_in_each_way() {
    let head = b"HTTP/1.1 200 OK\r\n";
    let of = |rest: &[u8]| get(&[&[head, rest].concat()], 10);
    assert_eq!(of(b"Content-Length: 3\r\n\r\nabcd").unwrap(), b"abc");
    assert_eq!(of(b"\r\nabc").unwrap(), b"abc");
    assert_eq!(
        of(b"Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\nX: y\r\n\r\n")
            .unwrap(),
        b"abc"
    );
    let early = get(
        &[b"HTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.0 200 OK\r\n\r\nabc"],
        10,
    );
    assert_eq!(early.unwrap(), b"abc");
}

#[test]
fn what_is_longer_or_shorter_than_it_should_be() {
    let head = b"HTTP/1.1 200 OK\r\n";
    let of = |rest: &[u8]| get(&[&[head, rest].concat()], 3).unwrap_err();
    let too_long = "http://H/a/b: it is longer than the 3 bytes expected";
    assert_eq!(of(b"Content-Length: 4\r\n\r\nabcd"), too_long);
    assert_eq!(of(b"\r\nabcd"), too_long);
    assert_eq!(
        of(b"Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n"),
        too_long
    );
    assert_eq!(
        of(b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nabcd"),
        too_long
    );
    assert_eq!(
        of(b"Content-Length: 3\r\n\r\nab"),
        "http://H/a/b: it ends after 2 of 3 bytes"
    );
    for cut in [
        &b"Transfer-Encoding: chunked\r\n\r\n3\r\na"[..],
        b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nx\r\n",
        b"Transfer-Encoding: gzip\r\n\r\n",
        b"Content-Length: 1\r\nContent-Length: 2\r\n\r\na",
        b"Content-Length: -1\r\n\r\n",
        b"no header\r\n\r\n",
    ] {
        of(cut);
    }
    let mut endless = head.to_vec();
    for _ in 0..20_000 {
        endless.extend(b"X: y\r\n");
    }
    let error = get(&[&endless], 3).unwrap_err();
    assert_eq!(error, "http://H/a/b: the head of the answer is too long");
    assert!(
        get(&[b"SSH-2.0-x\r\n\r\n"], 3)
            .unwrap_err()
            .ends_with("is not HTTP")
    );
    assert!(get(&[b""], 3).unwrap_err().contains("ends within its head"));
}

#[test]
fn redirects_end() {
    let moved: &[u8] = b"HTTP/1.1 302 Found\r\nLocation: /a/b\r\n\r\n";
    let error = get(&[moved; 6], 3).unwrap_err();
    assert_eq!(error, "http://H/a/b: it leads on more than 5 times");
    let to_tls: &[u8] = b"HTTP/1.1 301 Moved\r\nLocation: https://x/\r\n\r\n";
    assert!(
        get(&[to_tls], 3)
            .unwrap_err()
            .contains("https is not spoken")
    );
    let there: &[u8] = b"HTTP/1.1 200 OK\r\n\r\nabc";
    assert_eq!(get(&[moved, there], 3).unwrap(), b"abc");
    assert!(
        get(&[b"HTTP/1.1 302 Found\r\n\r\n"], 3)
            .unwrap_err()
            .contains("nowhere")
    );
    let lost = Client::default().whole(&serve(vec![b"HTTP/1.1 404 No\r\n\r\n".to_vec()]).0, 1);
    assert!(matches!(lost, Err(Fault::NotFound(_))));
    assert_eq!(
        get(&[b"HTTP/1.1 503 Busy\r\n\r\n"], 3).unwrap_err(),
        "http://H/a/b: it answers 503 Busy"
    );
}

#[test]
fn a_proxy_is_asked_for_the_whole_address() {
    let (proxy, thread) = serve(vec![b"HTTP/1.1 200 OK\r\n\r\nabc".to_vec()]);
    let client = Client {
        proxy: Some(proxy),
        direct: vec!["inside.example".into()],
        ..Client::default()
    };
    let url = Url::read("http://mirror.example/debian/x").unwrap();
    assert_eq!(client.whole(&url, 3).unwrap(), b"abc");
    let asked = thread.join().unwrap();
    assert!(
        asked[0]
            .starts_with("GET http://mirror.example/debian/x HTTP/1.1\r\nHost: mirror.example\r\n"),
        "{asked:?}"
    );
    assert!(client.proxy_for("a.Inside.example").is_none());
    assert!(client.proxy_for("notinside.example").is_some());
}

proptest::proptest! {
    #[test]
    fn any_answer_is_read_without_failing(
        text in "(HTTP/1.1 200 OK\r\n|Content-Length: |Transfer-Encoding: chunked\r\n|\r\n|[0-9a-f]|x){0,20}",
    ) {
        let mut stream = BufReader::new(text.as_bytes());
        if let Ok(head) = head(&mut stream) {
            let _ = body(&mut stream, &head, 100, &mut |_| Ok(()));
        }
    }
}
