//! Whose word is taken for it that a server is the one that its address names.

use std::sync::Arc;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

/// The authorities that a server's certificate may come from.
#[derive(Clone, Debug, Default)]
pub enum Trust {
    /// Those that browsers trust, as the program brings them along.
    #[default]
    Public,
    /// These alone: of an organisation whose machines are signed by itself.
    Own(Arc<Vec<Certificate<'static>>>),
    /// None could be had, and why: then no server with a certificate is asked, rather than on less trust than the user
    /// wanted.
    Unusable(String),
}

impl Trust {
    /// The certificates of a PEM file; other things in it, such as keys, are passed over.
    ///
    /// ```
    /// use pluriscope::engine::remote::Trust;
    ///
    /// assert!(matches!(Trust::from_pem(b"no certificate"), Trust::Unusable(_)));
    /// ```
    pub fn from_pem(pem: &[u8]) -> Trust {
        let mut found = Vec::new();
        for item in parse_pem(pem) {
            match item {
                Ok(PemItem::Certificate(certificate)) => found.push(certificate),
                Ok(_) => {}
                Err(error) => return Trust::Unusable(error.to_string()),
            }
        }
        if found.is_empty() {
            return Trust::Unusable("there is no certificate in it".to_owned());
        }
        Trust::Own(Arc::new(found))
    }

    pub(super) fn config(&self) -> TlsConfig {
        let roots = match self {
            Trust::Own(certificates) => RootCerts::Specific(Arc::clone(certificates)),
            Trust::Public | Trust::Unusable(_) => RootCerts::WebPki,
        };
        TlsConfig::builder().root_certs(roots).build()
    }

    /// Why `url` is not to be asked.
    pub(super) fn problem(&self, url: &str) -> Option<String> {
        match self {
            Trust::Unusable(problem) if url.starts_with("https:") => {
                Some(format!("{url} is not asked: {problem}"))
            }
            _ => None,
        }
    }
}
