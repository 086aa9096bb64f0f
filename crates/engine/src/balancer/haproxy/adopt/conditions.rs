//! Which requests meet a condition: the path, header or host that it wants, as far as one can be made that is known to.

use super::super::syntax::{ConfigLine, ConfigSection};

/// What a request must have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) path: Option<String>,
    pub(super) header: Option<(String, String)>,
    pub(super) host: Option<String>,
}

/// What the words after `if` want; `None`: no request is known to meet them.
pub(super) fn wanted(section: &ConfigSection, words: &[String], tls: bool) -> Option<Wanted> {
    let mut wanted = Wanted::default();
    let mut rest = words.iter().map(String::as_str).peekable();
    let mut any = false;
    while let Some(word) = rest.next() {
        let (word, negated) = match word.strip_prefix('!') {
            Some("") => (rest.next()?, true),
            Some(word) => (word, true),
            None => (word, false),
        };
        match word {
            // Of alternatives, the first will do.
            "or" | "||" => return any.then_some(wanted),
            "{" => {
                let inside: Vec<&str> = rest.by_ref().take_while(|word| *word != "}").collect();
                criterion(&inside, negated, tls, &mut wanted)?;
            }
            name => {
                let line = section.named("acl").find(|line| line.word(1) == name)?;
                let inside: Vec<&str> = line.words.iter().skip(2).map(String::as_str).collect();
                criterion(&inside, negated, tls, &mut wanted)?;
            }
        }
        any = true;
    }
    any.then_some(wanted)
}

/// Takes in what one criterion wants. A request that is not made for it meets its opposite.
fn criterion(words: &[&str], negated: bool, tls: bool, wanted: &mut Wanted) -> Option<()> {
    let (name, mut rest) = words.split_first()?;
    let mut by = "";
    while let Some((flag, after)) = rest.split_first().filter(|(flag, _)| flag.starts_with('-')) {
        rest = after;
        if *flag == "-m" {
            by = rest.first()?;
            rest = &rest[1..];
        }
        if *flag == "-f" {
            return None;
        }
        if *flag == "--" {
            break;
        }
    }
    let first = rest.first().map(|word| (*word).to_owned());
    // Converters that change nothing of what is sent here.
    let name = name.split(',').next().unwrap_or_default();
    let name = name.strip_prefix("req.").unwrap_or(name);
    let (fetch, argument) =
        name.split_once('(').map_or((name, ""), |(fetch, rest)| (fetch, rest.trim_end_matches(')')));
    let argument = argument.split(',').next().unwrap_or_default();
    match (fetch, by) {
        ("ssl_fc", _) => return (tls != negated).then_some(()),
        (
            "path_beg" | "path_dir" | "url_beg" | "hdr" | "fhdr" | "hdr_dom" | "hdr_end" | "cook"
            | "ssl_fc_sni" | "path" | "path_end" | "path_reg" | "path_sub",
            _,
        ) if negated => {
            return Some(());
        }
        _ if negated => return None,
        ("path_beg" | "url_beg", "") | ("path" | "url", "beg") => wanted.path = Some(first?),
        ("ssl_fc_sni", "" | "str") => wanted.host = Some(first?),
        ("hdr" | "fhdr", "" | "str") if argument.eq_ignore_ascii_case("host") => wanted.host = Some(first?),
        ("hdr_dom" | "hdr_end", "") if argument.eq_ignore_ascii_case("host") => {
            let end = first?;
            wanted.host = Some(if end.starts_with('.') { format!("www{end}") } else { end });
        }
        ("hdr" | "fhdr", "" | "str") => wanted.header = Some((argument.to_owned(), first?)),
        ("cook", "" | "str") => wanted.header = Some(("cookie".to_owned(), format!("{argument}={}", first?))),
        ("method", "") if first.as_deref() == Some("GET") => {}
        _ => return None,
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || "/-._~%".contains(c);
    let is_path = |path: &String| path.starts_with('/') && path.chars().all(fits);
    wanted.path.as_ref().is_none_or(is_path).then_some(())
}

/// The words after `if`, of a line that has them; `Err`: after `unless`.
pub(super) fn after_if(line: &ConfigLine) -> Option<Result<&[String], &[String]>> {
    let at = line.words.iter().position(|word| word == "if" || word == "unless")?;
    let words = &line.words[at + 1..];
    Some(if line.words[at] == "if" { Ok(words) } else { Err(words) })
}

#[cfg(test)]
mod tests {
    use super::super::super::syntax::parse;
    use super::*;

    fn of(condition: &str) -> Option<Wanted> {
        let text = format!(
            "frontend f\n acl is_api path_beg /api/ /v1/\n acl shop hdr(host) -i shop.test\n use_backend x if {condition}\n"
        );
        let sections = parse(&text);
        let line = sections[1].named("use_backend").next().unwrap();
        wanted(&sections[1], after_if(line).unwrap().unwrap(), true)
    }

    #[test]
    fn conditions_become_what_a_request_can_have() {
        let path = |path: &str| Some(Wanted { path: Some(path.into()), ..Wanted::default() });
        assert_eq!(of("is_api"), path("/api/"));
        assert_eq!(of("{ path -m beg /x }"), path("/x"));
        assert_eq!(of("{ path_beg /x } !shop"), path("/x"));
        assert_eq!(of("{ path_beg /x } || { src 10.0.0.1 }"), path("/x"));
        let both = of("shop is_api { ssl_fc }").unwrap();
        assert_eq!((both.host.as_deref(), both.path.as_deref()), (Some("shop.test"), Some("/api/")));
        assert_eq!(
            of("{ req.hdr(X-Canary) -m str true }").unwrap().header,
            Some(("X-Canary".into(), "true".into()))
        );
        assert_eq!(of("{ cook(beta) yes }").unwrap().header, Some(("cookie".into(), "beta=yes".into())));
        for unknown in ["{ path_reg ^/a }", "{ src 10.0.0.0/8 }", "nobody", "!{ ssl_fc }", "{ path /exact }"]
        {
            assert_eq!(of(unknown), None, "{unknown}");
        }
    }
}
