//! Chat templates: messages to the text that a model was trained on.

use super::error::ModelError;
use crate::core::{Prompt, prompt::FUEL};
use minijinja::{Environment, Error, ErrorKind, Value, context, syntax::SyntaxConfig};

/// The template of models that bring none.
const CHATML: &str = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + \
    message['content'] + '<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}\
    {{ '<|im_start|>assistant\n' }}{% endif %}";

/// The day that templates see as today. Prompts must not change from one day to the next, or stored
/// traces could not be replayed; this is the day that Llama 3's own templates fall back to.
const TODAY: (i32, u32, u32) = (2024, 7, 26);

/// A compiled chat template.
pub struct ChatTemplate {
    environment: Environment<'static>,
    bos: String,
    eos: String,
}

impl ChatTemplate {
    /// Compiles `source`, or ChatML where there is none; `bos` and `eos` are the texts of those tokens.
    pub fn new(source: Option<String>, bos: String, eos: String) -> Result<ChatTemplate, ModelError> {
        let mut environment = Environment::new();
        environment.set_fuel(Some(FUEL));
        environment.set_syntax(
            SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().map_err(template_error)?,
        );
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |message: String| -> Result<String, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, message))
        });
        environment.add_function("strftime_now", |format: &str| strftime(format));
        environment
            .add_template_owned("chat", source.unwrap_or_else(|| CHATML.to_owned()))
            .map_err(template_error)?;
        Ok(ChatTemplate { environment, bos, eos })
    }

    /// The text of `prompt`, up to where the model goes on.
    pub fn render(&self, prompt: &Prompt) -> Result<String, ModelError> {
        let messages: Vec<Value> = prompt
            .messages
            .iter()
            .map(|m| context! { role => m.role.word(), content => m.content.as_str() })
            .collect();
        let render = || {
            self.environment.get_template("chat")?.render(context! {
                messages => messages,
                add_generation_prompt => true,
                bos_token => self.bos.as_str(),
                eos_token => self.eos.as_str(),
            })
        };
        let mut text = render().map_err(template_error)?;
        text.push_str(&prompt.prefill);
        Ok(text)
    }
}

fn template_error(error: Error) -> ModelError {
    ModelError::ChatTemplate(format!("{error:#}"))
}

fn strftime(format: &str) -> Result<String, Error> {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let (year, month, day) = TODAY;
    let name = MONTHS[month as usize - 1];
    let (mut out, mut chars) = (String::new(), format.chars());
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('d') => out.push_str(&format!("{day:02}")),
            Some('m') => out.push_str(&format!("{month:02}")),
            Some('Y') => out.push_str(&year.to_string()),
            Some('y') => out.push_str(&format!("{:02}", year % 100)),
            Some('b') => out.push_str(&name[..3]),
            Some('B') => out.push_str(name),
            Some('H' | 'M' | 'S') => out.push_str("00"),
            Some('%') => out.push('%'),
            other => {
                let problem = format!("strftime_now: unknown format %{}", other.unwrap_or(' '));
                return Err(Error::new(ErrorKind::InvalidOperation, problem));
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{Message, Role};

    #[test]
    fn a_template_that_never_ends_is_an_error() {
        let loops = "{% for a in range(99999) %}{% for b in range(99999) %}{{ a }}{% endfor %}{% endfor %}";
        let chat = ChatTemplate::new(Some(loops.to_owned()), String::new(), String::new()).unwrap();
        assert!(chat.render(&prompt()).unwrap_err().to_string().contains("fuel"));
    }

    fn prompt() -> Prompt {
        Prompt {
            messages: vec![
                Message { role: Role::System, content: "Be brief.".to_owned() },
                Message { role: Role::User, content: "Hello".to_owned() },
            ],
            prefill: "Well,".to_owned(),
        }
    }

    fn template(source: &str) -> ChatTemplate {
        ChatTemplate::new(Some(source.to_owned()), "<s>".to_owned(), "</s>".to_owned()).unwrap()
    }

    #[test]
    fn chatml_is_the_fallback() {
        let chat = ChatTemplate::new(None, String::new(), String::new()).unwrap();
        assert_eq!(
            chat.render(&prompt()).unwrap(),
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n\
             <|im_start|>assistant\nWell,"
        );
    }

    #[test]
    fn python_methods_dates_and_exceptions_work() {
        let chat = template(
            "{{ bos_token }}{{ strftime_now('%d %b %Y') }}|{{ messages[1]['content'].strip().upper() }}|",
        );
        assert_eq!(chat.render(&prompt()).unwrap(), "<s>26 Jul 2024|HELLO|Well,");
        let error = template("{{ raise_exception('roles must alternate') }}").render(&prompt()).unwrap_err();
        assert!(error.to_string().contains("roles must alternate"), "{error}");
    }
}
