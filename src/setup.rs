//! What a configuration comes to: its methods and templates, the models that its references name, its servers.

use crate::{
    config::Config,
    engine::{
        LoadError,
        local::{LocalModels, Located},
        remote::{ChatFormat, Key, ServerModel, Trust},
    },
    model::LoadOptions,
    store::{
        assets::Assets,
        models::{ModelDirs, ModelEntry, ModelRef, size_on_disk},
    },
};
use color_eyre::eyre::Result;

/// The methods, templates and model names of this configuration.
pub fn assets(config: &Config) -> Result<Assets> {
    Ok(Assets::load(Some(&config.config_dir), config.methods_file.as_deref())?)
}

/// Where model files are looked for.
pub fn model_dirs(config: &Config) -> ModelDirs {
    ModelDirs::new(config.models_dir.clone())
}

/// The provider that loads references of this configuration, or finds the servers that they name.
pub fn local_models(config: &Config, entries: &[ModelEntry]) -> LocalModels {
    let (dirs, entries) = (model_dirs(config), entries.to_vec());
    let options = LoadOptions { threads: config.threads, ..LoadOptions::default() };
    let named = entries.clone();
    LocalModels::new(options, move |reference| locate(&dirs, &entries, reference))
        .with_servers(move |reference| server(&named, reference, &|name| std::env::var(name).ok()))
}

/// The server behind a reference, with the key that `environment` has for it (`OPENAI_API_KEY` goes to
/// api.openai.com alone, `PLURISCOPE_API_KEY` to the servers that the user names) and the authorities that it trusts.
pub fn server(
    entries: &[ModelEntry],
    reference: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Option<ServerModel> {
    if !reference.starts_with("openai:") {
        return None;
    }
    let ModelRef::Server { url, model, chat } = ModelRef::parse(reference, entries).ok()? else {
        return None;
    };
    let theirs = url == "https://api.openai.com" || url.starts_with("https://api.openai.com/");
    let name = if theirs { "OPENAI_API_KEY" } else { "PLURISCOPE_API_KEY" };
    let key = environment(name).and_then(|text| Key::new(&text));
    let trust = trust(environment("SSL_CERT_FILE").as_deref());
    Some(ServerModel { url, model, chat: chat.as_deref().and_then(ChatFormat::from_word), key, trust })
}

/// The authorities of the file that `SSL_CERT_FILE` names, as other programs read it.
pub fn trust(file: Option<&str>) -> Trust {
    let Some(file) = file.filter(|f| !f.is_empty()) else { return Trust::Public };
    match std::fs::read(file).map(|pem| Trust::from_pem(&pem)) {
        Ok(Trust::Unusable(problem)) => Trust::Unusable(format!("SSL_CERT_FILE, {file}: {problem}")),
        Ok(trust) => trust,
        Err(error) => Trust::Unusable(format!("SSL_CERT_FILE, {file}: {error}")),
    }
}

/// Whether a reference that a *file* names may be asked: models on this machine always, a server only where the user
/// names the same one, on the command line, in the configuration or among the methods. Otherwise a stranger's file
/// could have prompts, and the key, sent wherever it likes.
pub fn trusted(reference: &str, config: &Config, assets: &Assets) -> bool {
    !reference.starts_with("openai:")
        || reference == config.model
        || assets.methods.iter().any(|m| m.model.as_deref() == Some(reference))
}

/// The files of a reference, or in which words they are missing.
pub fn locate(dirs: &ModelDirs, entries: &[ModelEntry], reference: &str) -> Result<Located, LoadError> {
    let parsed = ModelRef::parse(reference, entries).map_err(|e| LoadError::Unusable(e.to_string()))?;
    if let ModelRef::Server { url, .. } = &parsed {
        return Err(LoadError::Unusable(format!(
            "`{reference}` is served at {url}; this engine runs model files"
        )));
    }
    let missing = || match &parsed {
        ModelRef::Gguf(path) | ModelRef::Folder(path) => LoadError::Missing(format!(
            "{}: no model is there (a .gguf file, or a folder with config.json, tokenizer.json and safetensors)",
            path.display()
        )),
        _ => LoadError::Missing(format!(
            "`{reference}` is not on this machine; `pluriscope models fetch {reference}` brings it"
        )),
    };
    let path = dirs.locate(&parsed).ok_or_else(missing)?;
    let (sha256, memory) = match &parsed {
        ModelRef::Named(entry) => (entry.sha256.clone(), entry.memory << 20),
        _ => (None, size_on_disk(&path)),
    };
    Ok(Located { path, sha256, memory })
}
