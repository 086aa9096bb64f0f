//! Commands as one types them.

/// `words` as a line that a shell reads back as the same words.
pub fn line(words: &[String]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// As it is where no shell minds, else between single quotes.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,=@%+".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_shell_would_change_is_quoted() {
        let words = ["rig", "--set=load.rate=800/s", "--fail-on=a.p99 > 1s", "it's", "", "$x"];
        let line = line(&words.map(str::to_owned));
        assert_eq!(line, r"rig --set=load.rate=800/s '--fail-on=a.p99 > 1s' 'it'\''s' '' '$x'");
    }
}
