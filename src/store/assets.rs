//! Shipped methods, prompt templates and model names, with the user's own laid over them.
//!
//! The user's live in one folder: `methods.toml`, `models.toml`, `prompts/*.toml`. Reads files, writes none.

use super::models::{self, ModelEntry};
use crate::core::{AdapterRef, Adapters, Method, MethodId, Template, method};
use std::{
    collections::BTreeMap,
    fs, io,
    ops::Range,
    path::{Path, PathBuf},
};

const METHODS: &str = include_str!("../../assets/methods.toml");
const MODELS: &str = include_str!("../../assets/models.toml");
const TEMPLATES: [(&str, &str); 6] = [
    ("direct", include_str!("../../assets/prompts/direct.toml")),
    ("reason", include_str!("../../assets/prompts/reason.toml")),
    ("rationalise", include_str!("../../assets/prompts/rationalise.toml")),
    ("bare", include_str!("../../assets/prompts/bare.toml")),
    ("short-direct", include_str!("../../assets/prompts/short-direct.toml")),
    ("short-reason", include_str!("../../assets/prompts/short-reason.toml")),
];

/// What methods are made of.
#[derive(Clone, Debug, Default)]
pub struct Assets {
    /// In the order of the columns.
    pub methods: Vec<Method>,
    pub templates: BTreeMap<String, Template>,
    pub models: Vec<ModelEntry>,
}

/// Why the methods, templates or model names cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AssetError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}:{line}: {message}", path.display())]
    Syntax { path: PathBuf, line: usize, message: String },
    #[error("{}: the method id `{id}` is there twice; give the second another id", path.display())]
    Twice { path: PathBuf, id: MethodId },
    #[error("{}: method `{method}`: {problem}", path.display())]
    Method { path: PathBuf, method: MethodId, problem: String },
    #[error("there is no method `{wanted}`; known are {known}")]
    UnknownMethod { wanted: String, known: String },
}

/// The line of a byte in `text`, from 1.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())].iter().filter(|&&b| b == b'\n').count() + 1
}

/// The words of a TOML error without its picture of the line.
pub(crate) fn toml_problem(text: &str, span: Option<Range<usize>>, message: &str) -> (usize, String) {
    (span.map_or(1, |s| line_of(text, s.start)), message.lines().next().unwrap_or(message).to_owned())
}

impl Assets {
    /// The shipped ones, with those of `folder` laid over; `methods` names another methods file to use instead
    /// of the folder's.
    pub fn load(folder: Option<&Path>, methods: Option<&Path>) -> Result<Assets, AssetError> {
        let shipped = Path::new("methods.toml");
        let mut assets = Assets {
            methods: parse_methods(shipped, METHODS)?,
            templates: BTreeMap::new(),
            models: parse_models(Path::new("models.toml"), MODELS)?,
        };
        for (id, text) in TEMPLATES {
            assets.add_template(Path::new(id), id, text)?;
        }
        let mut checked = shipped.to_owned();
        if let Some(folder) = folder {
            assets.add_templates(&folder.join("prompts"))?;
            let file = folder.join("models.toml");
            if let Some(text) = read_if_there(&file)? {
                let user = parse_models(&file, &text)?;
                assets.models.retain(|m| user.iter().all(|u| u.name != m.name));
                assets.models.extend(user);
            }
        }
        let own = methods.map(Path::to_owned).or_else(|| folder.map(|f| f.join("methods.toml")));
        if let Some(file) = own {
            let text = match read_if_there(&file)? {
                None if methods.is_some() => {
                    return Err(AssetError::Io { source: io::ErrorKind::NotFound.into(), path: file });
                }
                text => text.unwrap_or_default(),
            };
            let mut user = parse_methods(&file, &text)?;
            for method in &mut user {
                anchor_adapter(method, &file);
            }
            assets.methods = method::merge_methods(assets.methods, user);
            checked = file;
        }
        assets.check(&checked)?;
        Ok(assets)
    }

    /// The methods with these ids, in this order.
    pub fn choose(&self, ids: &[String]) -> Result<Vec<&Method>, AssetError> {
        ids.iter()
            .map(|id| {
                self.methods.iter().find(|m| m.id.0 == *id).ok_or_else(|| AssetError::UnknownMethod {
                    wanted: id.clone(),
                    known: self.methods.iter().map(|m| m.id.0.as_str()).collect::<Vec<_>>().join(", "),
                })
            })
            .collect()
    }

    /// The template of a method. [`Assets::load`] has checked that there is one.
    pub fn template(&self, method: &Method) -> Option<&Template> {
        self.templates.get(&method.template)
    }

    fn add_template(&mut self, path: &Path, id: &str, text: &str) -> Result<(), AssetError> {
        let template = Template::parse(id, text).map_err(|error| match &error {
            crate::core::prompt::TemplateError::Syntax { source, .. } => {
                syntax(path, text, source.span(), source.message())
            }
            other => AssetError::Syntax { path: path.to_owned(), line: 1, message: other.to_string() },
        })?;
        self.templates.insert(id.to_owned(), template);
        Ok(())
    }

    fn add_templates(&mut self, folder: &Path) -> Result<(), AssetError> {
        let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
        let mut paths: Vec<PathBuf> = entries
            .flatten()
            .map(|e| e.path())
            .filter(|p| p.extension().is_some_and(|e| e == "toml"))
            .collect();
        paths.sort();
        for path in paths {
            let id = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let text = read_if_there(&path)?.unwrap_or_default();
            self.add_template(&path, &id, &text)?;
        }
        Ok(())
    }

    fn check(&self, path: &Path) -> Result<(), AssetError> {
        for method in &self.methods {
            let wrong = |problem: String| AssetError::Method {
                path: path.to_owned(),
                method: method.id.clone(),
                problem,
            };
            if !self.templates.contains_key(&method.template) {
                let known = self.templates.keys().cloned().collect::<Vec<_>>().join(", ");
                let wanted = &method.template;
                return Err(wrong(format!("there is no prompt template `{wanted}`; known are {known}")));
            }
            if let Some(problem) = method.sampler.problem() {
                return Err(wrong(problem));
            }
        }
        Ok(())
    }
}

/// The adapters of `method` for `model`: the folder that it names, else one of its name (or the method's id) in
/// `adapters`, first those trained for this very model, else a shipped one for this model; for surveys the folder
/// NAME-survey beside that one. A folder counts if it has an `adapter_config.json`.
pub fn find_adapters(method: &Method, model: &str, adapters: &Path) -> Adapters {
    let name = match (&method.adapter, method.trained) {
        (Some(name), _) => name,
        (None, true) => &method.id.0,
        (None, false) => return Adapters::default(),
    };
    let general = named_adapter(name, model, adapters);
    // Beside it: a user's own adapter does not give way to one that is shipped.
    let survey = general.as_ref().filter(|_| !model.starts_with("openai:")).and_then(|found| {
        let name = format!("{}-survey", found.name);
        let path = found.path.with_file_name(&name);
        path.join("adapter_config.json").is_file().then_some(AdapterRef { name, path })
    });
    Adapters { general, survey }
}

/// The adapter of this name for `model`: a folder itself, one in the adapters folder, or one that is shipped.
pub fn named_adapter(name: &str, model: &str, adapters: &Path) -> Option<AdapterRef> {
    if model.starts_with("openai:") {
        // A server holds its adapters itself, each under a name like a model's.
        let name =
            Path::new(name).file_name().map_or_else(|| name.to_owned(), |n| n.to_string_lossy().into_owned());
        return Some(AdapterRef { path: PathBuf::from(&name), name });
    }
    let model = models::folder_name(model);
    let own = [PathBuf::from(name), adapters.join(&model).join(name), adapters.join(name)];
    let shipped = shipped_adapters().into_iter().map(|folder| folder.join(&model).join(name));
    let path = own.into_iter().chain(shipped).find(|p| p.join("adapter_config.json").is_file())?;
    let name = path.file_name().map_or_else(|| name.to_owned(), |n| n.to_string_lossy().into_owned());
    Some(AdapterRef { name, path })
}

/// Folders of adapters that came with the program: beside it, or in the checkout that it was built in.
fn shipped_adapters() -> Vec<PathBuf> {
    let Ok(program) = std::env::current_exe() else { return Vec::new() };
    let above = program.ancestors().skip(1).take(5);
    above
        .flat_map(|folder| [folder.join("assets/adapters"), folder.join("share/pluriscope/adapters")])
        .filter(|folder| folder.is_dir())
        .collect()
}

/// Makes an adapter path that is relative to its methods file independent of the working folder.
fn anchor_adapter(method: &mut Method, file: &Path) {
    if let (Some(adapter), Some(folder)) = (&mut method.adapter, file.parent()) {
        let beside = folder.join(&*adapter);
        if beside.is_dir() {
            *adapter = beside.to_string_lossy().into_owned();
        }
    }
}

fn parse_methods(path: &Path, text: &str) -> Result<Vec<Method>, AssetError> {
    let methods =
        method::parse_methods(text).map_err(|error| syntax(path, text, error.span(), error.message()))?;
    let twice =
        methods.iter().enumerate().find(|(i, m)| methods[..*i].iter().any(|earlier| earlier.id == m.id));
    match twice {
        Some((_, method)) => Err(AssetError::Twice { path: path.to_owned(), id: method.id.clone() }),
        None => Ok(methods),
    }
}

fn parse_models(path: &Path, text: &str) -> Result<Vec<ModelEntry>, AssetError> {
    models::parse_entries(text).map_err(|error| syntax(path, text, error.span(), error.message()))
}

fn syntax(path: &Path, text: &str, span: Option<Range<usize>>, message: &str) -> AssetError {
    let (line, message) = toml_problem(text, span, message);
    AssetError::Syntax { path: path.to_owned(), line, message }
}

fn read_if_there(path: &Path) -> Result<Option<String>, AssetError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(AssetError::Io { path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{Item, Kind, Letter, Perspective};

    #[test]
    fn the_shipped_assets_hold_together() {
        let assets = Assets::load(None, None).unwrap();
        assert!(assets.methods.len() >= 5);
        assert!(assets.models.iter().any(|m| m.name == "smollm2-135m"));
        let item = Item::value("vk", Perspective::named("Right to privacy"), "Reading a diary");
        for method in &assets.methods {
            let prompt = assets.template(method).unwrap().render(&item).unwrap();
            assert!(prompt.messages.iter().any(|m| m.content.contains("Reading a diary")));
        }
    }

    #[test]
    fn examples_are_turns_before_the_item_and_only_where_they_are_meant() {
        let assets = Assets::load(None, None).unwrap();
        let template = assets.templates.get("rationalise").unwrap();
        let mut value = Item::value("vk", Perspective::named("Right to privacy"), "Reading a diary");
        value.gold = Some(Letter::B);
        assert_eq!(template.render(&value).unwrap().messages.len(), 2);
        let options = ["Very often", "Never"];
        let mut survey =
            Item::new("oq", Perspective::demographic("AGE", "65+"), "How often do you walk?", &options);
        survey.gold = Some(Letter::B);
        let messages = template.render(&survey).unwrap().messages;
        let roles: Vec<&str> = messages.iter().map(|m| m.role.word()).collect();
        let turns = ["user", "assistant"].into_iter().cycle();
        assert_eq!(roles, [["system"].as_slice(), &turns.take(9).collect::<Vec<_>>()].concat());
        let (asked, shown) = (&messages[9].content, &messages[1].content);
        assert_eq!(
            asked,
            "Question: How often do you walk?\nAsked of: age, 65+\nThey chose: Never\nWhy? End with what they chose.\n"
        );
        // Each is written like the item's own turn, and ends as it asks for.
        let lines = |text: &str| {
            text.lines().map(|l| l.split([':', '?']).next().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(lines(shown), lines(asked));
        for turns in messages[1..9].chunks(2) {
            let chosen = turns[0].content.lines().find_map(|l| l.strip_prefix("They chose: ")).unwrap();
            assert!(turns[1].content.ends_with(&format!("So they chose: {chosen}.")), "{chosen}");
        }
    }

    #[test]
    fn the_users_own_are_laid_over() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("prompts")).unwrap();
        fs::create_dir(folder.path().join("mine")).unwrap();
        fs::write(folder.path().join("mine/adapter_config.json"), "{}").unwrap();
        fs::write(folder.path().join("prompts/brief.toml"), "title = \"Brief\"\nuser = \"{{ text }}?\"\n")
            .unwrap();
        let methods = "[[method]]\nid = \"sft\"\ntitle = \"mine\"\ntemplate = \"brief\"\ntrained = true\nadapter = \"mine\"\n\n[[method]]\nid = \"new\"\ntitle = \"new\"\ntemplate = \"direct\"\n";
        fs::write(folder.path().join("methods.toml"), methods).unwrap();
        let assets = Assets::load(Some(folder.path()), None).unwrap();
        let chosen = assets.choose(&["new".to_owned(), "sft".to_owned()]).unwrap();
        assert_eq!(chosen[1].title, "mine");
        let found = find_adapters(chosen[1], "smollm2-135m", Path::new("nowhere"));
        let mine = AdapterRef { name: "mine".to_owned(), path: folder.path().join("mine") };
        assert_eq!((found.of(Kind::Duty), found.of(Kind::Demographic)), (Some(&mine), Some(&mine)));
        let trained = assets.choose(&["rlvr".to_owned()]).unwrap()[0];
        assert!(!find_adapters(trained, "another-model", folder.path()).any());
        // One for surveys goes before the general one, on surveys.
        fs::create_dir(folder.path().join("mine-survey")).unwrap();
        fs::write(folder.path().join("mine-survey/adapter_config.json"), "{}").unwrap();
        let found = find_adapters(chosen[1], "smollm2-135m", Path::new("nowhere"));
        assert_eq!(found.of(Kind::Duty), Some(&mine));
        assert_eq!(found.of(Kind::Demographic).unwrap().name, "mine-survey");
        // One of that name elsewhere, as a shipped one is, does not take the place of the user's own.
        let elsewhere = tempfile::tempdir().unwrap();
        fs::rename(folder.path().join("mine-survey"), elsewhere.path().join("mine-survey")).unwrap();
        assert_eq!(
            find_adapters(chosen[1], "smollm2-135m", elsewhere.path()).of(Kind::Demographic),
            Some(&mine)
        );
    }

    #[test]
    fn mistakes_are_named_with_file_and_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("methods.toml");
        for (text, words) in [
            ("[[method]]\nid = \"a\"\ntitle = 3\ntemplate = \"direct\"", "methods.toml:3: invalid type"),
            ("[[method]]\nid = \"a\"\ntitle = \"a\"\ntemplate = \"none\"", "no prompt template `none`"),
            (
                "[[method]]\nid = \"a\"\ntitle = \"a\"\ntemplate = \"direct\"\nsampler = { top_p = 0.0 }",
                "top_p 0",
            ),
            (
                "[[method]]\nid = \"a\"\ntitle = \"a\"\ntemplate = \"direct\"\n[[method]]\nid = \"a\"\ntitle = \"a\"\ntemplate = \"direct\"",
                "twice",
            ),
        ] {
            fs::write(&file, text).unwrap();
            let error = Assets::load(Some(folder.path()), None).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        let unknown = Assets::load(None, None).unwrap().choose(&["nope".to_owned()]).unwrap_err().to_string();
        assert!(unknown.contains("zero-shot-cot"), "{unknown}");
        let missing = Assets::load(None, Some(&folder.path().join("gone.toml"))).unwrap_err().to_string();
        assert!(missing.contains("gone.toml"), "{missing}");
    }
}
