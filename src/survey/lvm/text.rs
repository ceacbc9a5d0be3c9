//! LVM's configuration syntax, in which volume groups describe themselves:
//! `name { ... }`, `key = value`, `[ a, b ]`, strings, numbers, `#` comments.

/// Sections in sections; LVM itself uses four levels.
const DEEPEST: usize = 12;

/// Values and sections of one text.
const MOST_ITEMS: usize = 1 << 20;

/// A value, or a section of them.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Number(i64),
    Text(String),
    List(Vec<Value>),
    Section(Section),
}

/// Names and what they stand for, in the order of the text.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Section(Vec<(String, Value)>);

impl Section {
    pub fn iter(&self) -> impl Iterator<Item = &(String, Value)> {
        self.0.iter()
    }

    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v)
    }

    pub fn section(&self, name: &str) -> Option<&Section> {
        match self.get(name)? {
            Value::Section(section) => Some(section),
            _ => None,
        }
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn number(&self, name: &str) -> Option<u64> {
        match self.get(name)? {
            Value::Number(number) => u64::try_from(*number).ok(),
            _ => None,
        }
    }

    /// A list; a single value counts as a list of one.
    pub fn list(&self, name: &str) -> &[Value] {
        match self.get(name) {
            Some(Value::List(list)) => list,
            Some(value @ (Value::Text(_) | Value::Number(_))) => std::slice::from_ref(value),
            _ => &[],
        }
    }

    /// True when the list `name` has this word.
    pub fn has(&self, name: &str, word: &str) -> bool {
        let is = |value: &Value| matches!(value, Value::Text(text) if text == word);
        self.list(name).iter().any(is)
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Number(i64),
    Mark(char),
}

/// Reads a whole text.
///
/// # Errors
/// What does not fit, in words.
pub fn parse(text: &str) -> Result<Section, String> {
    let tokens = tokens(text)?;
    // The sections that are open now, the innermost last, with their names.
    let mut open: Vec<(String, Section)> = vec![(String::new(), Section::default())];
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match (token, tokens.get(at)) {
            (Token::Mark('}'), _) if open.len() > 1 => {
                if let (Some((name, done)), Some((_, parent))) = (open.pop(), open.last_mut()) {
                    parent.0.push((name, Value::Section(done)));
                }
            }
            (Token::Word(name), Some(Token::Mark('{'))) if open.len() < DEEPEST => {
                at += 1;
                open.push((name.clone(), Section::default()));
            }
            (Token::Word(name), Some(Token::Mark('='))) => {
                let (value, next) = value(&tokens, at + 1)?;
                at = next;
                if let Some((_, section)) = open.last_mut() {
                    section.0.push((name.clone(), value));
                }
            }
            _ => return Err(odd(token)),
        }
    }
    match (open.pop(), open.is_empty()) {
        (Some((_, root)), true) => Ok(root),
        _ => Err("its metadata text ends too early".into()),
    }
}

fn odd(token: &Token) -> String {
    format!("its metadata text is not understood at {token:?}")
}

/// The value that begins at `at`, and where it ends.
fn value(tokens: &[Token], at: usize) -> Result<(Value, usize), String> {
    let early = || "its metadata text ends too early".to_owned();
    let first = tokens.get(at).ok_or_else(early)?;
    if *first != Token::Mark('[') {
        return Ok((plain(first)?, at + 1));
    }
    let mut list = Vec::new();
    let mut at = at + 1;
    loop {
        match tokens.get(at).ok_or_else(early)? {
            Token::Mark(']') => return Ok((Value::List(list), at + 1)),
            Token::Mark(',') => {}
            token => list.push(plain(token)?),
        }
        at += 1;
    }
}

fn plain(token: &Token) -> Result<Value, String> {
    match token {
        Token::Text(text) | Token::Word(text) => Ok(Value::Text(text.clone())),
        Token::Number(number) => Ok(Value::Number(*number)),
        Token::Mark(_) => Err(odd(token)),
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\0');
        let Some(first) = rest.chars().next() else {
            return Ok(tokens);
        };
        if tokens.len() >= MOST_ITEMS {
            return Err("its metadata text is too long".into());
        }
        let (token, length) = match first {
            '#' => {
                rest = rest.find('\n').map_or("", |end| &rest[end..]);
                continue;
            }
            '{' | '}' | '[' | ']' | '=' | ',' => (Token::Mark(first), 1),
            '"' | '\'' => quoted(rest, first)?,
            _ => word(rest)?,
        };
        tokens.push(token);
        rest = &rest[length..];
    }
}

/// A string; a backslash takes the next character as it is.
fn quoted(rest: &str, quote: char) -> Result<(Token, usize), String> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            _ if c == quote => return Ok((Token::Text(text), at + 1)),
            '\\' => text.extend(chars.next().map(|(_, c)| c)),
            _ => text.push(c),
        }
    }
    Err("a string in its metadata text has no end".into())
}

fn word(rest: &str) -> Result<(Token, usize), String> {
    let in_word = |c: char| c.is_alphanumeric() || "-._+/@:".contains(c);
    let end = rest.find(|c| !in_word(c)).unwrap_or(rest.len());
    let word = &rest[..end];
    if word.is_empty() {
        let c = rest.chars().next().unwrap_or(' ');
        return Err(format!("its metadata text has the strange character {c:?}"));
    }
    let number = |c: char| c.is_ascii_digit() || c == '-';
    let token = if word.starts_with(number) {
        match word.parse::<i64>() {
            Ok(number) => Token::Number(number),
            // Fractions and names that begin with a digit.
            Err(_) => Token::Word(word.to_owned()),
        }
    } else {
        Token::Word(word.to_owned())
    };
    Ok((token, end))
}
