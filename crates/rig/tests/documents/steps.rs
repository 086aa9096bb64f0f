//! The commands of a document.

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};

/// A command, and what it exits with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) command: String,
    pub(crate) exits: i32,
}

/// The lines of all `sh` blocks of `markdown`. A backslash continues a line.
pub(crate) fn steps(markdown: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut is_shell = false;
    for event in Parser::new(markdown) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => is_shell = &*language == "sh",
            Event::End(TagEnd::CodeBlock) => is_shell = false,
            Event::Text(text) if is_shell => {
                steps.extend(text.replace("\\\n", " ").lines().filter_map(step));
            }
            _ => {}
        }
    }
    steps
}

fn step(line: &str) -> Option<Step> {
    let (command, comment) = line.split_once(" #").unwrap_or((line, ""));
    let command = command.trim();
    let is_command = !command.is_empty() && !command.starts_with('#');
    let exits = comment.split_once("exit ").map(|(_, code)| code.chars().take_while(char::is_ascii_digit));
    let exits = exits.and_then(|code| code.collect::<String>().parse().ok()).unwrap_or(0);
    is_command.then(|| Step { command: command.to_owned(), exits })
}

#[test]
fn commands_are_the_lines_of_shell_blocks_and_their_comments_say_how_they_exit() {
    let document = "```sh\n# A comment.\nrig list\n\nrig run a.yaml \\\n  --quiet   # exit 1: too short\n```\n\
                    ```yaml\nname: drain\n```\n- an item\n\n  ```sh\n  rig doctor\n  ```\n";
    let step = |command: &str, exits| Step { command: command.to_owned(), exits };
    assert_eq!(
        steps(document),
        [step("rig list", 0), step("rig run a.yaml    --quiet", 1), step("rig doctor", 0)]
    );
}
