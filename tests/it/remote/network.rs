//! The ways to a server that is not this machine: certificates and proxies, by the program itself and its environment.

use super::{KEY, cli, server::*};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use std::{
    io::{BufRead, BufReader, Write},
    net::{Shutdown, TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex},
};

/// An authority of nobody's, as PEM, and a server configuration with a certificate of it for `names`.
fn authority(names: &[&str]) -> (String, Arc<ServerConfig>) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names: Vec<String> = names.iter().map(|&n| n.to_owned()).collect();
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
    let secret = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], secret)
        .unwrap();
    (issuer.pem(), Arc::new(config))
}

fn good(request: &Request, _: usize) -> Reply {
    if request.path == "/v1/models" {
        return json_reply(&serde_json::json!({ "data": [{ "id": "m", "owned_by": "vllm" }] }));
    }
    stream(&["It is hers.\nAnswer: B"])
}

/// Two items answered by `reference` under `environment`: what was said, and the exit code.
fn generate(folder: &Path, reference: &str, environment: &[(&str, &str)]) -> (String, Option<i32>) {
    cli::items(folder);
    cli::generate(folder, reference, &[], environment)
}

/// A folder with a file of authorities in it, and the file's path.
fn authorities(pem: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("authorities.pem");
    std::fs::write(&file, pem).unwrap();
    let file = file.to_str().unwrap().to_owned();
    (folder, file)
}

/// Both traces are there, and the key is neither in them nor in what was said.
#[track_caller]
fn assert_written(folder: &Path, said: &str, code: Option<i32>) {
    assert_eq!(code, Some(0), "{said}");
    let traces = std::fs::read_to_string(folder.join("t.jsonl")).unwrap();
    assert_eq!(traces.lines().count(), 2, "{said}");
    assert!(!traces.contains(KEY) && !said.contains(KEY));
}

#[test]
fn an_organisations_own_authority_is_trusted_where_it_is_named() {
    let (pem, config) = authority(&["127.0.0.1"]);
    let server = Server::secured(config, good);
    let (folder, file) = authorities(&pem);
    let (said, code) = generate(folder.path(), &server.reference(), &[("SSL_CERT_FILE", file.as_str())]);
    assert_written(folder.path(), &said, code);
    assert!(server.seen().iter().all(|r| r.authorization == Some(format!("Bearer {KEY}"))));
}

#[test]
fn a_certificate_of_strangers_is_refused_before_anything_is_said() {
    let (_, config) = authority(&["127.0.0.1"]);
    let (other, _) = authority(&["127.0.0.1"]);
    let server = Server::secured(config, good);
    let (folder, file) = authorities(&other);
    for environment in [&[][..], &[("SSL_CERT_FILE", file.as_str())]] {
        let (said, code) = generate(folder.path(), &server.reference(), environment);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("not to be trusted") && said.contains("SSL_CERT_FILE"), "{said}");
    }
    assert!(server.seen.lock().unwrap().is_empty(), "neither prompt nor key left this machine");
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let (pem, config) = authority(&["models.example"]);
    let server = Server::secured(config, good);
    let (folder, file) = authorities(&pem);
    let (said, code) = generate(folder.path(), &server.reference(), &[("SSL_CERT_FILE", file.as_str())]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("not to be trusted"), "{said}");
}

#[test]
fn authorities_that_cannot_be_read_are_named_and_nothing_is_asked() {
    let (_, config) = authority(&["127.0.0.1"]);
    let server = Server::secured(config, good);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("empty.pem"), "not a certificate").unwrap();
    for (file, why) in [("empty.pem", "no certificate in it"), ("missing.pem", "No such file")] {
        let (said, code) = generate(folder.path(), &server.reference(), &[("SSL_CERT_FILE", file)]);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(file) && said.contains(why), "{said}");
    }
    assert!(server.seen.lock().unwrap().is_empty());
}

/// A proxy on loopback: every tunnel ends at `target`, whatever host was asked for. `refuse` gives its answer instead.
struct Proxy {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start(target: &Server, refuse: Option<&'static str>) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://user:proxy-secret@{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let target = target.url.split('/').nth(2).unwrap().to_owned();
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, target) = (Arc::clone(&log), target.clone());
                std::thread::spawn(move || tunnel(stream, &target, refuse, &log));
            }
        });
        Proxy { url, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn tunnel(mut from: TcpStream, target: &str, refuse: Option<&str>, log: &Mutex<Vec<String>>) {
    let mut head = String::new();
    let mut reader = BufReader::new(from.try_clone().unwrap());
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return;
        }
    }
    log.lock().unwrap().push(head);
    if let Some(answer) = refuse {
        let _ = write!(from, "HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n");
        return;
    }
    let Ok(mut to) = TcpStream::connect(target) else { return };
    from.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
    let (mut back, mut out) = (to.try_clone().unwrap(), from.try_clone().unwrap());
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut back, &mut out);
        let _ = out.shutdown(Shutdown::Both);
    });
    let early = reader.buffer().to_vec();
    let _ = to.write_all(&early).and_then(|()| std::io::copy(&mut from, &mut to).map(drop));
    let _ = to.shutdown(Shutdown::Both);
}

#[test]
fn another_machine_is_reached_through_the_proxy_of_the_environment() {
    let server = Server::start(good);
    let proxy = Proxy::start(&server, None);
    let folder = tempfile::tempdir().unwrap();
    let reference = "openai:http://models.example:8000/v1#m";
    let (said, code) = generate(folder.path(), reference, &[("HTTP_PROXY", &proxy.url)]);
    assert_written(folder.path(), &said, code);
    assert!(!proxy.asked().is_empty());
    for head in proxy.asked() {
        assert!(head.starts_with("CONNECT models.example:8000 "), "{head}");
        // user:proxy-secret in base 64.
        assert!(
            head.to_lowercase().contains("proxy-authorization: basic dxnlcjpwcm94es1zzwnyzxq="),
            "{head}"
        );
        assert!(!head.contains(KEY), "the server's key is not for the proxy");
    }
}

#[test]
fn certificates_are_looked_at_through_a_proxy_too() {
    let (pem, config) = authority(&["models.example"]);
    let server = Server::secured(config, good);
    let proxy = Proxy::start(&server, None);
    let (folder, file) = authorities(&pem);
    let trust = ("SSL_CERT_FILE", file.as_str());
    let proxied = ("HTTPS_PROXY", proxy.url.as_str());
    let (said, code) = generate(folder.path(), "openai:https://models.example/v1#m", &[trust, proxied]);
    assert_written(folder.path(), &said, code);
    assert!(proxy.asked().iter().all(|head| head.starts_with("CONNECT models.example:443 ")));
    // The same machine under another name is somebody else.
    std::fs::remove_file(folder.path().join("t.jsonl")).unwrap();
    let (said, code) = generate(folder.path(), "openai:https://other.example/v1#m", &[trust, proxied]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("not to be trusted"), "{said}");
}

#[test]
fn hosts_that_are_not_for_the_proxy_and_this_machine_go_direct() {
    let server = Server::start(good);
    let proxy = Proxy::start(&server, None);
    let folder = tempfile::tempdir().unwrap();
    let (said, code) = generate(folder.path(), &server.reference(), &[("ALL_PROXY", &proxy.url)]);
    assert_written(folder.path(), &said, code);
    assert_eq!(proxy.asked(), Vec::<String>::new());
}

#[test]
fn a_proxy_that_refuses_is_told_without_its_password() {
    let server = Server::start(good);
    let proxy = Proxy::start(&server, Some("407 Proxy Authentication Required"));
    let folder = tempfile::tempdir().unwrap();
    let (said, code) =
        generate(folder.path(), "openai:http://models.example:8000/v1#m", &[("HTTP_PROXY", &proxy.url)]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("proxy") && !said.contains("proxy-secret"), "{said}");
    assert!(server.seen.lock().unwrap().is_empty());
}
