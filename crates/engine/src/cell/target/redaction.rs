//! Keeps secrets out of what is shown and saved of a command's output: values of variables that it was given, and what
//! looks like a secret by the name in front of it.

/// What stands in the place of a secret.
const HIDDEN: &str = "[hidden]";
/// Shorter values would be found everywhere.
const SHORTEST: usize = 4;
/// Names, or parts of them, of what is secret.
const SECRET: [&str; 11] = [
    "token",
    "secret",
    "passwd",
    "password",
    "passphrase",
    "credential",
    "apikey",
    "api_key",
    "api-key",
    "private_key",
    "authorization",
];

/// Values that must not be told.
#[derive(Clone, Debug, Default)]
pub(super) struct Redaction {
    values: Vec<String>,
}

impl Redaction {
    /// Hides the values of `variables`: of all if they were `chosen`, else of those whose names sound secret.
    pub(super) fn of(variables: impl Iterator<Item = (String, String)>, chosen: bool) -> Redaction {
        let hides = |name: &str| chosen || sounds_secret(name) || is_key(name);
        let hidden = variables.filter(|(name, _)| hides(name)).map(|(_, value)| value);
        // Output is looked at line by line, and a value may have several, as keys have.
        let mut values: Vec<String> = hidden
            .flat_map(|value| value.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>())
            .filter(|line| line.len() >= SHORTEST)
            .collect();
        // The longest first: one may be a part of another.
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        Redaction { values }
    }

    /// `line` without them.
    pub(super) fn applied(&self, line: &str) -> String {
        let line =
            self.values.iter().fold(line.to_owned(), |line, value| line.replace(value.as_str(), HIDDEN));
        assigned(&in_urls(&line))
    }
}

fn sounds_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET.iter().any(|part| name.contains(part))
}

/// `AWS_ACCESS_KEY`, not `KEYBOARD`.
fn is_key(name: &str) -> bool {
    name.split('_').any(|part| part.eq_ignore_ascii_case("key") || part.eq_ignore_ascii_case("auth"))
}

/// `scheme://user:password@host` without user and password.
fn in_urls(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let authority =
            after.find(|c: char| c == '/' || c.is_whitespace() || c == '"').unwrap_or(after.len());
        rest = match after[..authority].rfind('@') {
            Some(end) => {
                out.push_str(HIDDEN);
                &after[end..]
            }
            None => after,
        };
    }
    out + rest
}

/// What follows a name that sounds secret, as in `password=x`, `"token": "x"` and `Authorization: Bearer x`.
fn assigned(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    // Where what is hidden begins: after the name, its rest, and the sign.
    let begins = SECRET.iter().filter_map(|name| {
        let after = lower.find(name)? + name.len();
        let rest = &line[after..];
        let sign = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "-_\"' ".contains(c)))?;
        let value = rest[sign..].strip_prefix([':', '='])?;
        (!value.trim().is_empty()).then_some(after + sign + 1)
    });
    match begins.min() {
        Some(at) => format!("{} {HIDDEN}", &line[..at]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_command_was_given_is_hidden() {
        let given = [("REGION", "eu-central-1"), ("DEPLOY", "s3cr3t-value"), ("SHORT", "abc")];
        let given = || given.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let chosen = Redaction::of(given(), true);
        assert_eq!(chosen.applied("in eu-central-1 with s3cr3t-value abc"), "in [hidden] with [hidden] abc");
        assert_eq!(Redaction::of(given(), false).applied("in eu-central-1"), "in eu-central-1");
        let inherited = [("GITHUB_TOKEN", "ghp_1234"), ("AWS_ACCESS_KEY", "AKIA99"), ("KEYBOARD", "qwerty")];
        let inherited = inherited.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(
            Redaction::of(inherited, false).applied("ghp_1234 AKIA99 qwerty"),
            "[hidden] [hidden] qwerty"
        );
    }

    #[test]
    fn every_line_of_a_value_is_hidden() {
        let key = ("DEPLOY_KEY".to_owned(), "-----BEGIN-----\n  c2VjcmV0\r\n-----END-----\n".to_owned());
        let redaction = Redaction::of(std::iter::once(key), false);
        assert_eq!(redaction.applied("c2VjcmV0"), "[hidden]");
        assert_eq!(redaction.applied("key: c2VjcmV0 and more"), "key: [hidden] and more");
    }

    #[test]
    fn what_looks_like_a_secret_is_hidden() {
        let shown = |line: &str| Redaction::default().applied(line);
        assert_eq!(shown("password=hunter2 and more"), "password= [hidden]");
        assert_eq!(shown("  \"access_token\": \"abc\","), "  \"access_token\": [hidden]");
        assert_eq!(shown("Authorization: Bearer abc"), "Authorization: [hidden]");
        assert_eq!(shown("clone https://u:p@git.test/x ok"), "clone https://[hidden]@git.test/x ok");
        assert_eq!(shown("deployment.apps/shop restarted: 3 of 3"), "deployment.apps/shop restarted: 3 of 3");
        assert_eq!(shown("the token has expired"), "the token has expired");
        assert_eq!(shown("no token:"), "no token:");
    }
}
