//! Prompts: a template rendered over an item into chat messages.

use super::{Item, Kind};
use minijinja::{Environment, UndefinedBehavior, context, syntax::SyntaxConfig};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What rendering may cost: instructions, and 64 bytes of text for each. A template that comes with a model file is
/// somebody else's program; the longest real ones need a few thousand.
pub const FUEL: u64 = 2_000_000;

/// Who speaks a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    System,
    User,
    Assistant,
}

impl Role {
    /// The word that chat templates and APIs use.
    pub fn word(self) -> &'static str {
        match self {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        }
    }
}

/// One chat message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub role: Role,
    pub content: String,
}

/// What a model is given: messages, and the first words of its own answer where the template sets them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt {
    pub messages: Vec<Message>,
    /// Text that the assistant's turn starts with; the model goes on from there.
    #[serde(default)]
    pub prefill: String,
}

/// The name and content hash of the template behind a prompt, kept with every trace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TemplateRef {
    pub id: String,
    /// First 12 hexadecimal digits of the SHA-256 of the template file.
    pub hash: String,
}

/// A prompt template: a TOML file with minijinja texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pub reference: TemplateRef,
    pub title: String,
    system: Option<String>,
    examples: Vec<Example>,
    user: String,
    prefill: String,
}

/// A question that was answered before, shown ahead of the item's own.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    user: String,
    assistant: String,
}

/// Why a template cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    #[error("prompt template `{id}`: {source}")]
    Syntax { id: String, source: Box<toml::de::Error> },
    #[error("prompt template `{id}`, field `{field}`: {message}")]
    Render { id: String, field: &'static str, message: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TemplateFile {
    title: String,
    #[serde(default)]
    system: Option<String>,
    #[serde(default)]
    examples: Vec<Example>,
    user: String,
    #[serde(default)]
    prefill: String,
}

impl Template {
    /// Reads a template from the text of its TOML file; `id` is the file's stem.
    pub fn parse(id: &str, toml_text: &str) -> Result<Template, TemplateError> {
        let file: TemplateFile = toml::from_str(toml_text)
            .map_err(|source| TemplateError::Syntax { id: id.to_owned(), source: Box::new(source) })?;
        let digest = Sha256::digest(toml_text.as_bytes());
        let hash = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        Ok(Template {
            reference: TemplateRef { id: id.to_owned(), hash },
            title: file.title,
            system: file.system,
            examples: file.examples,
            user: file.user,
            prefill: file.prefill,
        })
    }

    /// Renders the template over `item`.
    ///
    /// Variables: `kind` (value, right, duty, demographic), `perspective`, `attribute`, `group`, `text`,
    /// `options` (list of `letter`, `text`), `explanation`, `gold` (letter) and `gold_text`. Examples are turns of the
    /// chat before the item's; one whose user text renders to nothing is not for this item and left out.
    pub fn render(&self, item: &Item) -> Result<Prompt, TemplateError> {
        let mut messages = Vec::with_capacity(2 + 2 * self.examples.len());
        if let Some(system) = &self.system {
            messages.push(Message { role: Role::System, content: self.field("system", system, item)? });
        }
        for example in &self.examples {
            let content = self.field("examples.user", &example.user, item)?;
            if content.trim().is_empty() {
                continue;
            }
            messages.push(Message { role: Role::User, content });
            let content = self.field("examples.assistant", &example.assistant, item)?;
            messages.push(Message { role: Role::Assistant, content });
        }
        messages.push(Message { role: Role::User, content: self.field("user", &self.user, item)? });
        Ok(Prompt { messages, prefill: self.field("prefill", &self.prefill, item)? })
    }

    fn field(&self, field: &'static str, source: &str, item: &Item) -> Result<String, TemplateError> {
        let mut environment = Environment::new();
        environment.set_fuel(Some(FUEL));
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let whitespace = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(whitespace.map_err(|error| self.render_error(field, &error))?);
        let options: Vec<_> = item
            .options
            .iter()
            .map(|c| context! { letter => c.letter.to_string(), text => &c.text })
            .collect();
        environment
            .render_str(
                source,
                context! {
                    kind => item.perspective.kind.word(),
                    is_demographic => item.perspective.kind == Kind::Demographic,
                    perspective => &item.perspective.name,
                    attribute => item.perspective.attribute.as_deref().map(super::perspective::attribute_title),
                    group => &item.perspective.group,
                    text => &item.text,
                    options => options,
                    explanation => &item.explanation,
                    gold => item.gold.map(|g| g.to_string()),
                    gold_text => item.gold.and_then(|g| item.option_text(g)),
                },
            )
            .map_err(|error| self.render_error(field, &error))
    }

    fn render_error(&self, field: &'static str, error: &minijinja::Error) -> TemplateError {
        TemplateError::Render { id: self.reference.id.clone(), field, message: format!("{error:#}") }
    }
}
