//! Model references: what they mean, and where the files are on this machine.
//!
//! A reference is a short name from `models.toml`, a `.gguf` file, a folder of safetensors, `hf:org/name`
//! (or `hf:org/name/file.gguf`), or `openai:URL#model`. Looks at the disk, never at the network; [`super::fetch`]
//! does that.

use serde::Deserialize;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// One model of `models.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelEntry {
    pub name: String,
    pub title: String,
    pub licence: String,
    /// The repository that the weights come from in the end.
    #[serde(default)]
    pub upstream: String,
    #[serde(default)]
    pub hub: Option<HubSource>,
    #[serde(default)]
    pub wheel: Option<WheelSource>,
    /// SHA-256 of the file, 64 hexadecimal digits; for single files.
    #[serde(default)]
    pub sha256: Option<String>,
    /// Bytes to fetch.
    #[serde(default)]
    pub bytes: u64,
    /// Megabytes that the loaded model takes.
    #[serde(default)]
    pub memory: u64,
}

/// Files of a Hugging Face repository: one GGUF file, or without `file` a folder of safetensors.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HubSource {
    pub repo: String,
    #[serde(default)]
    pub revision: Option<String>,
    #[serde(default)]
    pub file: Option<String>,
}

impl HubSource {
    /// The branch, tag or commit; `main` where none is named.
    pub fn revision(&self) -> &str {
        self.revision.as_deref().unwrap_or("main")
    }
}

/// A model file inside a Python wheel.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WheelSource {
    pub package: String,
    pub version: String,
    /// Path inside the wheel.
    pub member: String,
    /// Size of the wheel.
    #[serde(default)]
    pub bytes: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelsFile {
    #[serde(default, rename = "model")]
    models: Vec<ModelEntry>,
}

/// Reads a `models.toml`.
pub fn parse_entries(text: &str) -> Result<Vec<ModelEntry>, Box<toml::de::Error>> {
    toml::from_str::<ModelsFile>(text).map(|file| file.models).map_err(Box::new)
}

/// A parsed model reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelRef {
    Named(Box<ModelEntry>),
    Gguf(PathBuf),
    Folder(PathBuf),
    Hub(HubSource),
    Server {
        url: String,
        model: String,
        /// The model's chat format by name (`chatml`), where the reference names it.
        chat: Option<String>,
    },
}

/// Why a reference means nothing.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ModelRefError {
    #[error(
        "`{0}` names no model: give a name ({1}), a .gguf file, a folder of safetensors, hf:ORG/NAME or openai:URL#MODEL"
    )]
    Unknown(String, String),
    #[error("`{0}`: a hub reference looks like hf:ORG/NAME, hf:ORG/NAME@REVISION or hf:ORG/NAME/FILE.gguf")]
    Hub(String),
    #[error(
        "`{0}`: a server reference looks like openai:http://localhost:8000/v1#MODEL, or openai:URL#MODEL?chat=chatml; keys come from the environment, never from the address"
    )]
    Server(String),
}

impl ModelRef {
    /// Reads a reference; `entries` are the known names. A path counts even where nothing is there (yet).
    pub fn parse(reference: &str, entries: &[ModelEntry]) -> Result<ModelRef, ModelRefError> {
        let reference = reference.trim();
        if let Some(entry) = entries.iter().find(|e| e.name == reference) {
            return Ok(ModelRef::Named(Box::new(entry.clone())));
        }
        if let Some(rest) = reference.strip_prefix("hf:") {
            return parse_hub(rest).ok_or_else(|| ModelRefError::Hub(reference.to_owned()));
        }
        if let Some(rest) = reference.strip_prefix("openai:") {
            return parse_server(rest).ok_or_else(|| ModelRefError::Server(without_secret(reference)));
        }
        let path = PathBuf::from(reference);
        if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gguf")) {
            return Ok(ModelRef::Gguf(path));
        }
        if path.is_dir() {
            return Ok(ModelRef::Folder(path));
        }
        let names: Vec<&str> = entries.iter().map(|e| e.name.as_str()).collect();
        Err(ModelRefError::Unknown(reference.to_owned(), names.join(", ")))
    }
}

/// `URL#MODEL`, with `?chat=FORMAT` after it. An address with a user, a password or a query is refused: references are
/// kept in traces, and secrets must not be.
fn parse_server(rest: &str) -> Option<ModelRef> {
    let (url, model) = rest.split_once('#')?;
    let (model, chat) = match model.split_once("?chat=") {
        Some((model, chat)) => (model, Some(chat.to_owned())),
        None => (model, None),
    };
    let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"))?;
    let plain = |c: char| !c.is_control() && !c.is_whitespace() && !matches!(c, '@' | '?' | '#');
    let fits = !model.is_empty()
        && !host.starts_with('/')
        && !host.is_empty()
        && host.chars().all(plain)
        && !model.chars().any(char::is_control)
        && chat.as_deref().is_none_or(|c| matches!(c, "chatml" | "llama3"));
    let url = url.trim_end_matches('/').to_owned();
    fits.then(|| ModelRef::Server { url, model: model.to_owned(), chat })
}

/// A reference for an error message, without what stands before an `@`.
fn without_secret(reference: &str) -> String {
    match (reference.split_once("://"), reference.rfind('@')) {
        (Some((scheme, _)), Some(at)) => format!("{scheme}://[…]{}", &reference[at..]),
        _ => reference.to_owned(),
    }
}

/// `org/name`, with `@revision` or `/file.gguf` after it.
fn parse_hub(rest: &str) -> Option<ModelRef> {
    let (path, revision) = match rest.split_once('@') {
        Some((path, revision)) => (path, Some(revision.to_owned())),
        None => (rest, None),
    };
    let mut parts = path.splitn(3, '/');
    let (org, name, file) = (parts.next()?, parts.next()?, parts.next());
    let plain = |s: &str| {
        !s.is_empty()
            && s != ".."
            && s.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    let file_ok = file.is_none_or(|f| f.to_lowercase().ends_with(".gguf") && f.split('/').all(plain));
    let revision_ok = revision.as_ref().is_none_or(|r| r.split('/').all(plain));
    (plain(org) && plain(name) && file_ok && revision_ok).then(|| {
        ModelRef::Hub(HubSource { repo: format!("{org}/{name}"), revision, file: file.map(str::to_owned) })
    })
}

/// A folder name for a reference: adapters are kept per model.
pub fn folder_name(reference: &str) -> String {
    let clean: String = reference
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '-' })
        .collect();
    clean.trim_matches(['-', '.']).to_owned()
}

/// Where model files may lie on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelDirs {
    /// Our own folder: what was fetched by wheel, and what the user puts there.
    pub own: PathBuf,
    /// The Hugging Face cache (`…/hub`), shared with other programs.
    pub hub_cache: PathBuf,
}

impl ModelDirs {
    /// Our folder, and the Hugging Face cache that the environment names.
    pub fn new(own: PathBuf) -> ModelDirs {
        let named = std::env::var_os("HF_HUB_CACHE").filter(|v| !v.is_empty()).map(PathBuf::from);
        ModelDirs { own, hub_cache: named.unwrap_or_else(|| hf_hub::Cache::from_env().path().clone()) }
    }

    /// The file or folder that `reference` can be loaded from now; `None` when it has to be fetched first.
    /// Servers have no files.
    pub fn locate(&self, reference: &ModelRef) -> Option<PathBuf> {
        match reference {
            ModelRef::Gguf(path) => path.is_file().then(|| path.clone()),
            ModelRef::Folder(path) => complete_folder(path).then(|| path.clone()),
            ModelRef::Hub(hub) => self.in_hub_cache(hub),
            ModelRef::Named(entry) => self
                .own_file(entry)
                .filter(|p| p.is_file())
                .or_else(|| self.in_hub_cache(entry.hub.as_ref()?)),
            ModelRef::Server { .. } => None,
        }
    }

    /// Where our own folder keeps the single file of a named model.
    pub fn own_file(&self, entry: &ModelEntry) -> Option<PathBuf> {
        let hub = entry.hub.as_ref().and_then(|h| h.file.as_deref());
        let name = hub.or(entry.wheel.as_ref().map(|w| w.member.as_str()))?.rsplit('/').next()?;
        Some(self.own.join(&entry.name).join(name))
    }

    /// A complete copy in the Hugging Face cache: the named revision first, then any other snapshot for single
    /// files (their hash is checked when they are loaded).
    pub fn in_hub_cache(&self, hub: &HubSource) -> Option<PathBuf> {
        let repo = self.hub_cache.join(format!("models--{}", hub.repo.replace('/', "--")));
        let commit = fs::read_to_string(repo.join("refs").join(hub.revision()))
            .map_or_else(|_| hub.revision().to_owned(), |text| text.trim().to_owned());
        let snapshots = repo.join("snapshots");
        let mut folders = vec![snapshots.join(commit)];
        if hub.revision.is_none() || hub.file.is_some() {
            let mut others: Vec<PathBuf> =
                fs::read_dir(&snapshots).into_iter().flatten().flatten().map(|e| e.path()).collect();
            others.sort();
            folders.extend(others);
        }
        folders.into_iter().find_map(|folder| match &hub.file {
            Some(file) => Some(folder.join(file)).filter(|p| p.is_file()),
            None => complete_folder(&folder).then_some(folder),
        })
    }

    /// GGUF files and safetensors folders in our own folder that no entry names.
    pub fn others(&self, entries: &[ModelEntry]) -> Vec<PathBuf> {
        let named: Vec<PathBuf> = entries.iter().filter_map(|e| self.own_file(e)).collect();
        let mut found = Vec::new();
        let mut look = |folder: &Path| {
            for path in fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()) {
                let gguf = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gguf"));
                if (gguf && path.is_file() && !named.contains(&path)) || complete_folder(&path) {
                    found.push(path);
                }
            }
        };
        look(&self.own);
        for folder in fs::read_dir(&self.own).into_iter().flatten().flatten().map(|e| e.path()) {
            if folder.is_dir() && !complete_folder(&folder) {
                look(&folder);
            }
        }
        found.sort();
        found
    }
}

/// Whether a folder has all that a model needs: configuration, tokenizer, and every file of weights.
pub fn complete_folder(folder: &Path) -> bool {
    folder.join("config.json").is_file()
        && folder.join("tokenizer.json").is_file()
        && (folder.join("model.safetensors").is_file() || sharded(folder))
}

/// Whether all shards that the index names are there.
fn sharded(folder: &Path) -> bool {
    #[derive(Deserialize)]
    struct Index {
        weight_map: std::collections::BTreeMap<String, String>,
    }
    let Ok(text) = fs::read_to_string(folder.join("model.safetensors.index.json")) else { return false };
    serde_json::from_str::<Index>(&text).is_ok_and(|index| {
        !index.weight_map.is_empty() && index.weight_map.values().all(|f| folder.join(f).is_file())
    })
}

/// Bytes of a file, or of a folder's files.
pub fn size_on_disk(path: &Path) -> u64 {
    if path.is_dir() {
        let files = fs::read_dir(path).into_iter().flatten().flatten();
        // `metadata` of the path follows the cache's links; that of the entry would not.
        files.filter_map(|e| fs::metadata(e.path()).ok()).filter(fs::Metadata::is_file).map(|m| m.len()).sum()
    } else {
        fs::metadata(path).map_or(0, |m| m.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> Vec<ModelEntry> {
        parse_entries(include_str!("../../assets/models.toml")).unwrap()
    }

    fn hub(repo: &str, revision: Option<&str>, file: Option<&str>) -> ModelRef {
        let own = |s: Option<&str>| s.map(str::to_owned);
        ModelRef::Hub(HubSource { repo: repo.to_owned(), revision: own(revision), file: own(file) })
    }

    #[test]
    fn references_of_every_kind() {
        let parse = |text: &str| ModelRef::parse(text, &entries());
        assert!(matches!(parse("smollm2-135m"), Ok(ModelRef::Named(e)) if e.sha256.is_some()));
        assert_eq!(parse("some/where.GGUF"), Ok(ModelRef::Gguf("some/where.GGUF".into())));
        assert_eq!(parse("src"), Ok(ModelRef::Folder("src".into())));
        assert_eq!(parse("hf:org/name"), Ok(hub("org/name", None, None)));
        assert_eq!(parse("hf:org/name@v1"), Ok(hub("org/name", Some("v1"), None)));
        assert_eq!(parse("hf:org/name/sub/f.gguf"), Ok(hub("org/name", None, Some("sub/f.gguf"))));
        assert_eq!(
            parse("openai:http://localhost:8000/v1/#m"),
            Ok(ModelRef::Server {
                url: "http://localhost:8000/v1".to_owned(),
                model: "m".to_owned(),
                chat: None
            })
        );
        let chat = parse("openai:https://host/v1#org/m?chat=chatml");
        assert!(
            matches!(chat, Ok(ModelRef::Server { chat: Some(c), model, .. }) if c == "chatml" && model == "org/m")
        );
        for wrong in
            ["openai:ftp://x#m", "openai:http://#m", "openai:http://x/?key=1#m", "openai:http://x#m?chat=y"]
        {
            assert!(matches!(parse(wrong), Err(ModelRefError::Server(_))), "{wrong}");
        }
        let secret = parse("openai:https://me:sk-secret@host/v1#m").unwrap_err().to_string();
        assert!(!secret.contains("sk-secret") && secret.contains("host"), "{secret}");
        for wrong in ["hf:name", "hf:../x/y", "hf:a/b/../../c.gguf", "hf:a/b/c.txt"] {
            assert_eq!(parse(wrong), Err(ModelRefError::Hub(wrong.to_owned())));
        }
        assert!(matches!(parse("openai:localhost"), Err(ModelRefError::Server(_))));
        assert!(parse("nonsense").unwrap_err().to_string().contains("smollm2-135m"));
    }

    #[test]
    fn a_hub_cache_of_other_programs_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let dirs = ModelDirs { own: folder.path().join("own"), hub_cache: folder.path().join("hub") };
        let repo = dirs.hub_cache.join("models--org--name");
        fs::create_dir_all(repo.join("refs")).unwrap();
        fs::create_dir_all(repo.join("snapshots/abc")).unwrap();
        fs::write(repo.join("refs/main"), "abc").unwrap();
        let wanted = hub("org/name", None, None);
        for file in ["config.json", "tokenizer.json"] {
            fs::write(repo.join("snapshots/abc").join(file), "{}").unwrap();
            assert_eq!(dirs.locate(&wanted), None);
        }
        let index = "{\"weight_map\": {\"a\": \"one.safetensors\", \"b\": \"two.safetensors\"}}";
        fs::write(repo.join("snapshots/abc/model.safetensors.index.json"), index).unwrap();
        fs::write(repo.join("snapshots/abc/one.safetensors"), "").unwrap();
        assert_eq!(dirs.locate(&wanted), None, "a shard is missing");
        fs::write(repo.join("snapshots/abc/two.safetensors"), "").unwrap();
        assert_eq!(dirs.locate(&wanted), Some(repo.join("snapshots/abc")));
    }

    #[test]
    fn our_own_folder_comes_first_and_is_listed() {
        let folder = tempfile::tempdir().unwrap();
        let dirs = ModelDirs { own: folder.path().to_owned(), hub_cache: folder.path().join("hub") };
        let entry = entries().remove(0);
        let file = dirs.own_file(&entry).unwrap();
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "GGUF").unwrap();
        fs::write(folder.path().join("mine.gguf"), "GGUF").unwrap();
        assert_eq!(dirs.locate(&ModelRef::Named(Box::new(entry))), Some(file));
        assert_eq!(dirs.others(&entries()), [folder.path().join("mine.gguf")]);
    }
}
