//! Python literals as data tables hold them: lists, tuples, dicts, texts, numbers, and numpy's arrays,
//! whose numbers have blanks between them. Nothing is ever evaluated.

/// Lists within lists deeper than this are refused.
const MAX_DEPTH: usize = 8;

/// A Python value.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    Text(String),
    Number(f64),
    List(Vec<Literal>),
    Dict(Vec<(Literal, Literal)>),
}

impl Literal {
    /// A number; `nan` is one, and for the caller to refuse.
    pub fn number(&self) -> Option<f64> {
        match self {
            Literal::Number(n) => Some(*n),
            _ => None,
        }
    }

    /// A text, or a number as text; `None` for a list.
    pub fn into_text(self) -> Option<String> {
        match self {
            Literal::Text(text) => Some(text),
            Literal::Number(n) => Some(n.to_string()),
            _ => None,
        }
    }

    /// As [`Literal::into_text`]; empty for a list.
    pub fn to_text(&self) -> String {
        self.clone().into_text().unwrap_or_default()
    }
}

/// Reads one literal and nothing after it.
pub fn parse(text: &str) -> Result<Literal, String> {
    let mut parser = Parser { text, at: 0 };
    let value = parser.value(0)?;
    parser.blanks();
    if parser.at < text.len() { Err(parser.unexpected()) } else { Ok(value) }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at..)?.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.next();
        }
    }

    fn take(&mut self, wanted: char) -> bool {
        self.blanks();
        let found = self.peek() == Some(wanted);
        if found {
            self.next();
        }
        found
    }

    fn unexpected(&self) -> String {
        match self.peek() {
            Some(c) => format!("unexpected `{c}` at byte {}", self.at),
            None => "it ends too early".to_owned(),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Literal, String> {
        if depth > MAX_DEPTH {
            return Err("lists are nested too deep".to_owned());
        }
        self.blanks();
        match self.peek() {
            Some(quote @ ('\'' | '"')) => self.string(quote).map(Literal::Text),
            Some('[') => self.list(']', depth),
            Some('(') => self.list(')', depth),
            Some('{') => self.dict(depth),
            Some(_) => self.word(depth),
            None => Err(self.unexpected()),
        }
    }

    fn list(&mut self, close: char, depth: usize) -> Result<Literal, String> {
        self.next();
        let mut items = Vec::new();
        while !self.take(close) {
            items.push(self.value(depth + 1)?);
            // numpy leaves the commas out.
            self.take(',');
        }
        Ok(Literal::List(items))
    }

    fn dict(&mut self, depth: usize) -> Result<Literal, String> {
        self.next();
        let mut pairs = Vec::new();
        while !self.take('}') {
            let key = self.value(depth + 1)?;
            if !self.take(':') {
                return Err(self.unexpected());
            }
            pairs.push((key, self.value(depth + 1)?));
            self.take(',');
        }
        Ok(Literal::Dict(pairs))
    }

    fn string(&mut self, quote: char) -> Result<String, String> {
        self.next();
        let mut out = String::new();
        loop {
            match self.next() {
                Some(c) if c == quote => return Ok(out),
                Some('\\') => self.escape(&mut out)?,
                Some(c) => out.push(c),
                None => return Err(self.unexpected()),
            }
        }
    }

    fn escape(&mut self, out: &mut String) -> Result<(), String> {
        let (digits, plain) = match self.next() {
            Some('n') => (0, '\n'),
            Some('t') => (0, '\t'),
            Some('r') => (0, '\r'),
            Some('x') => (2, 'x'),
            Some('u') => (4, 'u'),
            Some('U') => (8, 'U'),
            Some(c) => (0, c),
            None => return Err(self.unexpected()),
        };
        let mut c = plain;
        if digits > 0 {
            let hex = self.text.get(self.at..self.at + digits);
            let code = hex.and_then(|hex| u32::from_str_radix(hex, 16).ok());
            c = code.and_then(char::from_u32).ok_or_else(|| format!("bad escape at byte {}", self.at))?;
            self.at += digits;
        }
        out.push(c);
        Ok(())
    }

    /// A number, or `array(…)`, `np.float64(…)` around a value.
    fn word(&mut self, depth: usize) -> Result<Literal, String> {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_alphanumeric() || matches!(c, '+' | '-' | '.' | '_')) {
            self.next();
        }
        let word = &self.text[start..self.at];
        if self.peek() == Some('(') && word.starts_with(char::is_alphabetic) {
            self.next();
            let value = self.value(depth + 1)?;
            return if self.take(')') { Ok(value) } else { Err(self.unexpected()) };
        }
        if word.is_empty() {
            return Err(self.unexpected());
        }
        word.parse().map(Literal::Number).map_err(|_| format!("`{word}` is not a number"))
    }
}
