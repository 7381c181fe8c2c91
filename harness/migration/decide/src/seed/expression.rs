//! Reads the expressions of check constraints, as the server writes them: everything in parentheses, every cast told.

/// A part of an expression. What is not understood makes the whole unreadable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    And(Vec<Expression>),
    Or(Vec<Expression>),
    Not(Box<Expression>),
    /// Operator, left, right.
    Compare(String, Box<Expression>, Box<Expression>),
    /// Is one of these.
    AnyOf(Box<Expression>, Vec<Expression>),
    IsNull(Box<Expression>),
    Column(String),
    Literal(String),
    Call(String, Vec<Expression>),
    List(Vec<Expression>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Quoted(String),
    Text(String),
    Sign(String),
}

/// Reads an expression; `None` where it holds what is not understood.
pub(super) fn read(text: &str) -> Option<Expression> {
    let mut reader = Reader { tokens: tokens(text)?, at: 0 };
    let expression = reader.expression()?;
    (reader.at == reader.tokens.len()).then_some(expression)
}

/// Returns all texts and numbers that stand in an expression, readable or not.
pub(super) fn literals(text: &str) -> Vec<String> {
    let is_number = |word: &str| word.starts_with(|c: char| c.is_ascii_digit());
    let literal = |token: Token| match token {
        Token::Text(text) => Some(text),
        Token::Word(word) if is_number(&word) => Some(word),
        _ => None,
    };
    tokens(text).unwrap_or_default().into_iter().filter_map(literal).collect()
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '\'' => quoted(rest, '\'').map(|(text, length)| (Token::Text(text), length))?,
            '"' => quoted(rest, '"').map(|(text, length)| (Token::Quoted(text), length))?,
            'E' if rest[1..].starts_with('\'') => {
                let (text, length) = quoted(&rest[1..], '\'')?;
                (Token::Text(text.replace("\\\\", "\\")), length + 1)
            }
            '(' | ')' | '[' | ']' | ',' | '.' => (Token::Sign(first.to_string()), 1),
            c if c.is_alphanumeric() || c == '_' => {
                let is_number = c.is_ascii_digit();
                let in_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$' || (is_number && c == '.');
                let length = rest.find(|c| !in_word(c)).unwrap_or(rest.len());
                (Token::Word(rest[..length].to_owned()), length)
            }
            c if c.is_ascii_punctuation() => {
                let length = rest.find(|c: char| !"+-*/<>=~!@#%^&|`?:".contains(c)).unwrap_or(rest.len());
                (Token::Sign(rest[..length.max(1)].to_owned()), length.max(1))
            }
            _ => return None,
        };
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    Some(tokens)
}

/// Reads a quoted text at the beginning of `text`: its content, and the bytes that it takes.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut content = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c != quote {
            content.push(c);
        } else if chars.peek().is_some_and(|(_, next)| *next == quote) {
            content.push(quote);
            chars.next();
        } else {
            return Some((content, at + 1));
        }
    }
    None
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
}

impl Reader {
    fn expression(&mut self) -> Option<Expression> {
        let first = self.comparison()?;
        for (word, make) in [("AND", Expression::And as fn(Vec<Expression>) -> Expression), ("OR", Expression::Or)] {
            if self.next_is(word) {
                let mut parts = vec![first];
                while self.takes(word) {
                    parts.push(self.comparison()?);
                }
                return Some(make(parts));
            }
        }
        Some(first)
    }

    fn comparison(&mut self) -> Option<Expression> {
        if self.takes("NOT") {
            return Some(Expression::Not(Box::new(self.comparison()?)));
        }
        let left = self.operand()?;
        if self.takes("IS") {
            let is_negated = self.takes("NOT");
            let found = match () {
                () if self.takes("NULL") => Expression::IsNull(Box::new(left)),
                () if self.takes("TRUE") => left,
                () if self.takes("FALSE") => Expression::Not(Box::new(left)),
                () => return None,
            };
            return Some(if is_negated { Expression::Not(Box::new(found)) } else { found });
        }
        let Some(Token::Sign(sign)) = self.tokens.get(self.at) else { return Some(left) };
        if !sign.chars().all(|c| "+-*/<>=~!@#%^&|?".contains(c)) {
            return Some(left);
        }
        let sign = sign.clone();
        self.at += 1;
        if self.takes("ANY") {
            let Expression::List(list) = self.operand()? else { return None };
            return (sign == "=").then(|| Expression::AnyOf(Box::new(left), list));
        }
        Some(Expression::Compare(sign, Box::new(left), Box::new(self.operand()?)))
    }

    fn operand(&mut self) -> Option<Expression> {
        let operand = match self.tokens.get(self.at)?.clone() {
            Token::Sign(sign) if sign == "(" => {
                self.at += 1;
                let inner = self.expression()?;
                self.takes_sign(")").then_some(inner)?
            }
            Token::Sign(sign) if sign == "-" => {
                self.at += 1;
                match self.operand()? {
                    Expression::Literal(number) => Expression::Literal(format!("-{number}")),
                    _ => return None,
                }
            }
            Token::Text(text) => self.taken(Expression::Literal(text)),
            Token::Quoted(name) => self.taken(Expression::Column(name)),
            Token::Word(word) => {
                self.at += 1;
                self.word(word)?
            }
            Token::Sign(_) => return None,
        };
        self.skip_casts()?;
        Some(operand)
    }

    fn taken(&mut self, expression: Expression) -> Expression {
        self.at += 1;
        expression
    }

    fn word(&mut self, word: String) -> Option<Expression> {
        if word.starts_with(|c: char| c.is_ascii_digit()) || matches!(word.as_str(), "true" | "false") {
            return Some(Expression::Literal(word));
        }
        if word == "ARRAY" && self.takes_sign("[") {
            return self.list("]").map(Expression::List);
        }
        let mut name = word;
        while self.takes_sign(".") {
            let (Token::Word(part) | Token::Quoted(part)) = self.tokens.get(self.at)?.clone() else { return None };
            self.at += 1;
            name = part;
        }
        if self.takes_sign("(") {
            return self.list(")").map(|list| Expression::Call(name, list));
        }
        let is_keyword = matches!(name.as_str(), "CASE" | "ROW" | "NULL" | "CURRENT_DATE" | "CURRENT_TIMESTAMP");
        (!is_keyword).then_some(Expression::Column(name))
    }

    fn list(&mut self, end: &str) -> Option<Vec<Expression>> {
        let mut list = Vec::new();
        while !self.takes_sign(end) {
            list.push(self.expression()?);
            self.takes_sign(",");
        }
        Some(list)
    }

    /// Casts say nothing about values: the server would refuse one that cannot be.
    fn skip_casts(&mut self) -> Option<()> {
        const LONG_NAMES: &[&str] = &["varying", "precision", "with", "without", "time", "zone"];
        while self.takes_sign("::") {
            self.at += 1;
            while self.takes_sign(".") || LONG_NAMES.iter().any(|word| self.next_is(word)) {
                self.at += 1;
            }
            if self.takes_sign("(") {
                self.list(")")?;
            }
            while self.takes_sign("[") {
                self.takes_sign("]").then_some(())?;
            }
        }
        Some(())
    }

    fn next_is(&self, word: &str) -> bool {
        matches!(self.tokens.get(self.at), Some(Token::Word(next)) if next == word)
    }

    fn takes(&mut self, word: &str) -> bool {
        let is_next = self.next_is(word);
        self.at += usize::from(is_next);
        is_next
    }

    fn takes_sign(&mut self, sign: &str) -> bool {
        let is_next = matches!(self.tokens.get(self.at), Some(Token::Sign(next)) if next == sign);
        self.at += usize::from(is_next);
        is_next
    }
}
