//! nginx's configuration syntax: directives with their arguments, some with a block (`ngx_conf_file.c`). Everything has its
//! place in the text, so that a part can be changed and the rest stays as it is.

use std::ops::Range;

/// A directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Directive {
    pub(super) name: String,
    pub(super) arguments: Vec<String>,
    /// Its line, counted from 1.
    pub(super) line: usize,
    /// What stands between its braces; empty without any.
    pub(super) block: Vec<Directive>,
    /// From the first byte of its name to its `;` or `}`.
    pub(super) at: Range<usize>,
    /// Where its arguments stand, with their quotes.
    pub(super) arguments_at: Vec<Range<usize>>,
    /// What is between its braces; `None`: it has no block.
    pub(super) inside: Option<Range<usize>>,
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

    /// Its first argument; empty without any.
    pub(super) fn first(&self) -> &str {
        self.arguments.first().map_or("", String::as_str)
    }

    /// The directives of that name in its block.
    pub(super) fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Directive> {
        self.block.iter().filter(move |it| it.name == name)
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
    let mut reader = Reader { text, at: 0, line: 1, depth: 0 };
    reader.block(false).map(|(found, _)| found)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    /// Blocks that are open.
    depth: usize,
}

/// Deeper than configurations nest; nginx's own limit is the stack.
const DEEPEST: usize = 64;

/// What a file consists of.
enum Token {
    Word(String),
    End,
    Open,
    Close,
}

/// A directive whose end hasn't been read.
#[derive(Default)]
struct Begun {
    words: Vec<String>,
    at: Vec<Range<usize>>,
    line: usize,
}

impl Begun {
    fn finish(self, end: usize, block: Vec<Directive>, inside: Option<Range<usize>>) -> Directive {
        let start = self.at.first().map_or(end, |first| first.start);
        let mut words = self.words.into_iter();
        let name = words.next().unwrap_or_default();
        let arguments_at = self.at.into_iter().skip(1).collect();
        let (arguments, line) = (words.collect(), self.line);
        Directive { name, arguments, line, block, at: start..end, arguments_at, inside }
    }
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        self.line += usize::from(c == '\n');
        Some(c)
    }

    fn broken(&self, what: &'static str) -> Broken {
        Broken { line: self.line, what }
    }

    /// Directives up to the end of the file, or of the block that they are in; and where that end is.
    fn block(&mut self, inside: bool) -> Result<(Vec<Directive>, usize), Broken> {
        let mut found = Vec::new();
        let mut begun = Begun::default();
        loop {
            let (token, at) = self.token()?;
            if begun.words.is_empty() {
                begun.line = self.line;
            }
            match token {
                Some(Token::Word(word)) => {
                    begun.words.push(word);
                    begun.at.push(at);
                }
                Some(Token::End | Token::Open) if begun.words.is_empty() => {
                    return Err(self.broken("a directive is missing"));
                }
                Some(Token::End) => found.push(std::mem::take(&mut begun).finish(at.end, Vec::new(), None)),
                Some(Token::Open) => {
                    let begun = std::mem::take(&mut begun);
                    if self.depth == DEEPEST {
                        return Err(self.broken("blocks are nested too deeply"));
                    }
                    self.depth += 1;
                    // What stands there is in another language.
                    let is_program = begun.words[0].ends_with("_by_lua_block");
                    let (block, end) =
                        if is_program { (Vec::new(), self.program()?) } else { self.block(true)? };
                    self.depth -= 1;
                    found.push(begun.finish(self.at, block, Some(at.end..end)));
                }
                Some(Token::Close) | None if !begun.words.is_empty() => {
                    return Err(self.broken("`;` is missing"));
                }
                Some(Token::Close) if inside => return Ok((found, at.start)),
                Some(Token::Close) => return Err(self.broken("`}` closes nothing")),
                None if inside => return Err(self.broken("`}` is missing")),
                None => return Ok((found, at.start)),
            }
        }
    }

    /// Up to the brace that closes the block of a program; returns where it is.
    fn program(&mut self) -> Result<usize, Broken> {
        let mut open = 1;
        loop {
            let at = self.at;
            match self.next() {
                Some('{') => open += 1,
                Some('}') => open -= 1,
                Some('-') if self.peek() == Some('-') => while self.next().is_some_and(|c| c != '\n') {},
                Some(quote @ ('"' | '\'')) => drop(self.quoted(quote)?),
                Some(_) => {}
                None => return Err(self.broken("`}` is missing")),
            }
            if open == 0 {
                return Ok(at);
            }
        }
    }

    fn token(&mut self) -> Result<(Option<Token>, Range<usize>), Broken> {
        loop {
            let start = self.at;
            let token = match self.peek() {
                None => None,
                Some('#') => {
                    while self.next().is_some_and(|c| c != '\n') {}
                    continue;
                }
                Some(c) if c.is_whitespace() => {
                    self.next();
                    continue;
                }
                Some(';') => self.next().map(|_| Token::End),
                Some('{') => self.next().map(|_| Token::Open),
                Some('}') => self.next().map(|_| Token::Close),
                Some(quote @ ('"' | '\'')) => {
                    self.next();
                    Some(Token::Word(self.quoted(quote)?))
                }
                Some(_) => Some(Token::Word(self.word())),
            };
            return Ok((token, start..self.at));
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
        while let Some(c) = self.peek() {
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
    use proptest::prelude::*;

    use super::*;

    /// The text again, from the places of its parts: what is between them is taken from it as it is.
    fn printed(text: &str) -> String {
        fn put(text: &str, directives: &[Directive], range: Range<usize>, out: &mut String) {
            let mut at = range.start;
            for it in directives {
                out.push_str(&text[at..it.at.start]);
                out.push_str(&it.name_as_written(text));
                let mut from = it.at.start + it.name_as_written(text).len();
                for word in &it.arguments_at {
                    out.push_str(&text[from..word.start]);
                    out.push_str(&text[word.clone()]);
                    from = word.end;
                }
                if let Some(inside) = it.inside.clone() {
                    out.push_str(&text[from..inside.start]);
                    put(text, &it.block, inside.clone(), out);
                    from = inside.end;
                }
                out.push_str(&text[from..it.at.end]);
                at = it.at.end;
            }
            out.push_str(&text[at..range.end]);
        }
        let mut out = String::new();
        put(text, &parse(text).unwrap(), 0..text.len(), &mut out);
        out
    }

    impl Directive {
        fn name_as_written(&self, text: &str) -> String {
            let quoted = text[self.at.start..].starts_with(['"', '\'']);
            text[self.at.start..self.at.start + self.name.len() + if quoted { 2 } else { 0 }].to_owned()
        }
    }

    fn word() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-z$~^=./:*0-9_-]{1,12}",
            "\"[a-z ;{}#'é$]{0,12}\"",
            "'[a-z ;{}#\"ü$]{0,12}'",
            Just("${host}x".to_owned()),
        ]
    }

    fn gap() -> impl Strategy<Value = String> {
        prop_oneof![Just(" ".to_owned()), Just("\n\t".to_owned()), Just(" # a; comment { é\n".to_owned())]
    }

    fn directives() -> impl Strategy<Value = String> {
        let line = (word(), proptest::collection::vec((gap(), word()), 0..4), gap());
        let line = line.prop_map(|(name, words, end)| {
            let words: String = words.into_iter().map(|(gap, word)| gap + &word).collect();
            format!("{name}{words}{end}")
        });
        let line = line.boxed();
        let simple = line.clone().prop_map(|line| format!("{line};"));
        let nested = simple.prop_recursive(4, 32, 4, move |inner| {
            (line.clone(), proptest::collection::vec((gap(), inner), 0..4), gap()).prop_map(
                |(line, inner, end)| {
                    let inner: String = inner.into_iter().map(|(gap, it)| gap + &it).collect();
                    format!("{line}{{{inner}{end}}}")
                },
            )
        });
        proptest::collection::vec((gap(), nested), 0..6)
            .prop_map(|all| all.into_iter().map(|(gap, it)| gap + &it).collect())
    }

    proptest! {
        #[test]
        fn a_text_that_is_read_and_printed_is_the_same(text in directives()) {
            prop_assert_eq!(printed(&text), text);
        }

        #[test]
        fn reading_ends_whatever_the_text(text in "[a-z{};'\"#$\\\\\n é]{0,60}") {
            let _ = parse(&text);
        }
    }

    #[test]
    fn a_program_in_a_block_is_passed_over() {
        let tree = parse(
            "location / { content_by_lua_block { if x { y = \"}\" } -- don't }\n } proxy_pass http://a; }",
        );
        let names: Vec<String> = tree.unwrap()[0].block.iter().map(|it| it.name.clone()).collect();
        assert_eq!(names, ["content_by_lua_block", "proxy_pass"]);
    }

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
