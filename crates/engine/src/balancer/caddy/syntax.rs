//! Reads a Caddyfile as directives with their blocks (Caddy docs, "Caddyfile concepts"): enough to look through one, not
//! to judge it.

/// A directive, or the head of a site or snippet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Directive {
    /// Its words, without quotes.
    pub(super) words: Vec<String>,
    /// The line on which it begins, counted from 1.
    pub(super) line: usize,
    /// What stands in its block.
    pub(super) block: Vec<Directive>,
}

impl Directive {
    /// Its first word; the options in front of the first site have none.
    pub(super) fn name(&self) -> &str {
        self.words.first().map(String::as_str).unwrap_or_default()
    }

    /// All words, in one line.
    pub(super) fn text(&self) -> String {
        self.words.join(" ")
    }

    /// It, and everything in its block at any depth.
    pub(super) fn all(&self) -> Vec<&Directive> {
        std::iter::once(self).chain(self.block.iter().flat_map(Directive::all)).collect()
    }
}

/// What can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) line: usize,
    pub(super) what: String,
}

/// A file deeper than this is none that anybody wrote.
const DEEPEST: usize = 64;

/// The directives of a file.
pub(super) fn parse(text: &str) -> Result<Vec<Directive>, Broken> {
    let broken = |line: usize, what: &str| Broken { line, what: what.to_owned() };
    let mut open: Vec<Directive> = vec![Directive::default()];
    for (number, line) in (1..).zip(text.lines()) {
        let mut words =
            words(line).ok_or_else(|| broken(number, "a quoted text does not end on its line"))?;
        if words == ["}"] {
            let closed = open.pop().filter(|_| !open.is_empty());
            let closed = closed.ok_or_else(|| broken(number, "this `}` closes no block"))?;
            open.last_mut().expect("it is not empty").block.push(closed);
            continue;
        }
        let opens = words.last().is_some_and(|word| word == "{");
        if opens {
            words.pop();
        }
        let directive = Directive { words, line: number, block: Vec::new() };
        if opens && open.len() > DEEPEST {
            return Err(broken(number, "blocks stand in each other too deep"));
        } else if opens {
            open.push(directive);
        } else if !directive.words.is_empty() {
            open.last_mut().expect("the file itself is always open").block.push(directive);
        }
    }
    match open.as_slice() {
        [_] => Ok(open.swap_remove(0).block),
        _ => Err(broken(text.lines().count(), "a block does not end")),
    }
}

/// The words of a line; `None`: a quote stays open. A comment begins a word.
fn words(line: &str) -> Option<Vec<String>> {
    let (mut words, mut rest) = (Vec::new(), line.trim_start());
    while let Some(first) = rest.chars().next().filter(|first| *first != '#') {
        let quoted = matches!(first, '"' | '`');
        let from = usize::from(quoted);
        let end = match quoted {
            true => 1 + rest[1..].find(first)?,
            false => rest.find(char::is_whitespace).unwrap_or(rest.len()),
        };
        words.push(rest[from..end].to_owned());
        rest = rest[end + from..].trim_start();
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_have_their_words_and_what_stands_in_their_blocks() {
        let tree =
            parse("# c\n{\n\tadmin off\n}\n:80 {\n\tbind \"a b\" # c\n\troute {\n\t\tx `y \"z`\n\t}\n}\n")
                .unwrap();
        assert_eq!((tree[0].name(), tree[0].block[0].text().as_str()), ("", "admin off"));
        let texts: Vec<String> = tree[1].all().into_iter().map(Directive::text).collect();
        assert_eq!(texts, [":80", "bind a b", "route", "x y \"z"]);
        assert_eq!(tree[1].block[1].block[0].line, 8);
    }

    #[test]
    fn what_is_not_closed_or_not_opened_is_said_with_its_line() {
        for (text, line) in [("a {\nb", 2), ("a\n}", 2), ("a\nb \"c", 2)] {
            assert_eq!(parse(text).unwrap_err().line, line, "{text}");
        }
    }
}
