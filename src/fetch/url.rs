//! Addresses of files: `http://HOST[:PORT]/PATH`.

use std::fmt;

/// Such an address, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// The name, or an address; one of version 6 in brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// From the first slash on.
    pub path: String,
}

impl Url {
    /// Reads it.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn read(text: &str) -> Result<Self, String> {
        let rest = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some((scheme, _)) if scheme.eq_ignore_ascii_case("https") => {
                return Err(format!(
                    "{text}: https is not spoken here. Name a mirror with http://: \
                     what it gives is checked by the signature of the archive"
                ));
            }
            _ => return Err(format!("{text}: only http:// is spoken here")),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (host, path) = rest.split_at(end);
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        let after = host.rfind(']').map_or(0, |at| at + 1);
        let (host, port) = match host.get(after..).and_then(|rest| rest.rfind(':')) {
            Some(colon) => (&host[..after + colon], &host[after + colon + 1..]),
            None => (host, "80"),
        };
        let is_plain = |c: char| c.is_ascii_graphic();
        let port = port.parse().ok().filter(|port| *port > 0);
        let Some(port) = port.filter(|_| !host.is_empty() && text.chars().all(is_plain)) else {
            return Err(format!("{text:?} is no address"));
        };
        let path = path.split('#').next().unwrap_or_default();
        Ok(Self {
            host: host.to_owned(),
            port,
            path: match path.starts_with('/') {
                true => path.to_owned(),
                false => format!("/{path}"),
            },
        })
    }

    /// A file below it.
    pub fn join(&self, below: &str) -> Self {
        Self {
            path: format!("{}/{}", self.path.trim_end_matches('/'), escaped(below)),
            ..self.clone()
        }
    }

    /// Where a redirect leads to.
    ///
    /// # Errors
    /// Like [`Url::read`].
    pub fn redirected(&self, to: &str) -> Result<Self, String> {
        if to.contains("://") {
            return Self::read(to);
        }
        if let Some(rest) = to.strip_prefix("//") {
            return Self::read(&format!("http://{rest}"));
        }
        let path = match to.starts_with('/') {
            true => to.to_owned(),
            false => {
                let folder = self.path.rsplit_once('/').map_or("", |(folder, _)| folder);
                format!("{folder}/{to}")
            }
        };
        Self::read(&format!("http://{}{path}", self.authority()))
    }

    /// Host and port, as they stand in a request.
    pub fn authority(&self) -> String {
        match self.port {
            80 => self.host.clone(),
            port => format!("{}:{port}", self.host),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority(), self.path)
    }
}

/// What has a meaning in an address is escaped (`QuoteString` of apt-pkg).
fn escaped(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/:+=,@".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn parts_of_an_address() {
        let url = Url::read("http://u:p@mirror.example:8080/debian/").unwrap();
        assert_eq!((url.host.as_str(), url.port), ("mirror.example", 8080));
        assert_eq!(
            url.join("dists/x y").to_string(),
            "http://mirror.example:8080/debian/dists/x%20y"
        );
        let six = Url::read("http://[::1]:81").unwrap();
        assert_eq!((six.host.as_str(), six.path.as_str()), ("[::1]", "/"));
        assert_eq!(six.to_string(), "http://[::1]:81/");
        for wrong in [
            "ftp://x/",
            "http://",
            "http://a:b/",
            "http://a\r\nX: y/",
            "/x",
        ] {
            assert!(Url::read(wrong).is_err(), "{wrong:?}");
        }
        let https = Url::read("https://a/").unwrap_err();
        assert!(https.contains("with http://"), "{https}");
    }

    #[test]
    fn redirects() {
        let url = Url::read("http://a/b/c").unwrap();
        let to = |to| url.redirected(to).map(|url| url.to_string());
        assert_eq!(to("d").unwrap(), "http://a/b/d");
        assert_eq!(to("/d").unwrap(), "http://a/d");
        assert_eq!(to("//e/d").unwrap(), "http://e/d");
        assert_eq!(to("http://e:1/d").unwrap(), "http://e:1/d");
        assert!(to("https://e/d").is_err());
    }
}
