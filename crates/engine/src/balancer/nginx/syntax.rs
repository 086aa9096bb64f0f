//! nginx's configuration syntax: directives with their arguments, some with a block (`ngx_conf_file.c`).

/// A directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Directive {
    pub(super) name: String,
    pub(super) arguments: Vec<String>,
    /// Its line, counted from 1.
    pub(super) line: usize,
    /// What stands between its braces; empty without any.
    pub(super) block: Vec<Directive>,
}

impl Directive {
    /// As a line of a configuration.
    pub(super) fn words(&self) -> String {
        let quoted = |argument: &String| match argument.is_empty() || argument.contains([' ', ';']) {
            true => format!(" \"{argument}\""),
            false => format!(" {argument}"),
        };
        let arguments = self.arguments.iter().map(quoted).collect::<String>();
        format!("{}{arguments};", self.name)
    }

    /// Every directive in its block, at any depth.
    pub(super) fn below(&self) -> Vec<&Directive> {
        self.block.iter().flat_map(|it| std::iter::once(it).chain(it.below())).collect()
    }
}

/// A text that isn't in this syntax.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) line: usize,
    pub(super) what: &'static str,
}

/// Reads a whole file.
pub(super) fn parse(text: &str) -> Result<Vec<Directive>, Broken> {
    let mut reader = Reader { rest: text.chars().peekable(), line: 1 };
    reader.block(false)
}

struct Reader<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    line: usize,
}

/// What a file consists of.
enum Token {
    Word(String),
    End,
    Open,
    Close,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.rest.next();
        self.line += usize::from(c == Some('\n'));
        c
    }

    fn broken(&self, what: &'static str) -> Broken {
        Broken { line: self.line, what }
    }

    /// Directives up to the end of the file, or of the block that they are in.
    fn block(&mut self, inside: bool) -> Result<Vec<Directive>, Broken> {
        let mut found = Vec::new();
        let mut words: Vec<String> = Vec::new();
        let mut line = self.line;
        loop {
            let token = self.token()?;
            if words.is_empty() {
                line = self.line;
            }
            let mut finish = |words: &mut Vec<String>, block| {
                let mut words = std::mem::take(words).into_iter();
                let name = words.next().unwrap_or_default();
                found.push(Directive { name, arguments: words.collect(), line, block });
            };
            match token {
                Some(Token::Word(word)) => words.push(word),
                Some(Token::End | Token::Open) if words.is_empty() => {
                    return Err(self.broken("a directive is missing"));
                }
                Some(Token::End) => finish(&mut words, Vec::new()),
                Some(Token::Open) => finish(&mut words, self.block(true)?),
                Some(Token::Close) | None if !words.is_empty() => {
                    return Err(self.broken("`;` is missing"));
                }
                Some(Token::Close) if inside => return Ok(found),
                Some(Token::Close) => return Err(self.broken("`}` closes nothing")),
                None if inside => return Err(self.broken("`}` is missing")),
                None => return Ok(found),
            }
        }
    }

    fn token(&mut self) -> Result<Option<Token>, Broken> {
        loop {
            match self.rest.peek().copied() {
                None => return Ok(None),
                Some('#') => while self.next().is_some_and(|c| c != '\n') {},
                Some(c) if c.is_whitespace() => drop(self.next()),
                Some(';') => return Ok(self.next().map(|_| Token::End)),
                Some('{') => return Ok(self.next().map(|_| Token::Open)),
                Some('}') => return Ok(self.next().map(|_| Token::Close)),
                Some(quote @ ('"' | '\'')) => {
                    self.next();
                    return self.quoted(quote).map(|word| Some(Token::Word(word)));
                }
                Some(_) => return Ok(Some(Token::Word(self.word()))),
            }
        }
    }

    fn quoted(&mut self, quote: char) -> Result<String, Broken> {
        let mut word = String::new();
        while let Some(c) = self.next() {
            match c {
                '\\' => word.extend(std::iter::once(c).chain(self.next())),
                c if c == quote => return Ok(word),
                c => word.push(c),
            }
        }
        Err(self.broken("a quote is missing"))
    }

    /// Up to a blank, `;` or `{`, but for the brace of `${variable}`.
    fn word(&mut self) -> String {
        let mut word = String::new();
        while let Some(c) = self.rest.peek().copied() {
            let variable = c == '{' && word.ends_with('$');
            if c.is_whitespace() || c == ';' || (c == '{' && !variable) {
                break;
            }
            word.extend(self.next());
            if c == '\\' {
                word.extend(self.next());
            }
        }
        word
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_quotes_comments_and_blocks_are_read_with_their_lines() {
        let text = "user a b; # one; two {\nhttp {\n  log_format x '{\"a;}\":\\'1}' \"$b\";\n  if (-f \"/a b\") { set $x \
                    ${y}z; }\n}\n";
        let tree = parse(text).unwrap();
        assert_eq!(tree[0].words(), "user a b;");
        let http = &tree[1];
        assert_eq!((http.line, http.block[0].line), (2, 3));
        assert_eq!(http.block[0].arguments, ["x", r#"{"a;}":\'1}"#, "$b"]);
        assert_eq!(http.block[1].arguments, ["(-f", "/a b", ")"]);
        assert_eq!(http.below().last().unwrap().words(), "set $x ${y}z;");
    }

    #[test]
    fn what_does_not_close_is_told_with_its_line() {
        for (text, line, what) in [
            ("http {\n a b;\n", 3, "`}` is missing"),
            ("a b\n}", 2, "`;` is missing"),
            ("a b;\n}", 2, "`}` closes nothing"),
            ("a 'b;\n", 2, "a quote is missing"),
            (";", 1, "a directive is missing"),
        ] {
            assert_eq!(parse(text), Err(Broken { line, what }), "{text}");
        }
    }
}
