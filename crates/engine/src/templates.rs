//! The balancers' configuration templates: embedded in the binary, replaceable by a directory.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, Value};

use crate::error::EngineError;

const EMBEDDED: [(&str, &str); 7] = [
    ("nginx/nginx.conf", include_str!("../../../proxy-configs/nginx/nginx.conf")),
    ("haproxy/haproxy.cfg", include_str!("../../../proxy-configs/haproxy/haproxy.cfg")),
    ("envoy/envoy.yaml", include_str!("../../../proxy-configs/envoy/envoy.yaml")),
    ("nginx/layer4.conf", include_str!("../../../proxy-configs/nginx/layer4.conf")),
    ("haproxy/layer4.cfg", include_str!("../../../proxy-configs/haproxy/layer4.cfg")),
    ("envoy/routes.yaml", include_str!("../../../proxy-configs/envoy/routes.yaml")),
    ("envoy/endpoints.yaml", include_str!("../../../proxy-configs/envoy/endpoints.yaml")),
];

/// The longest template that is read.
const LONGEST: u64 = 1 << 20;

/// Where templates come from.
#[derive(Clone, Debug, Default)]
pub struct Templates {
    directory: Option<PathBuf>,
}

impl Templates {
    /// The templates of this build.
    pub fn embedded() -> Templates {
        Templates { directory: None }
    }

    /// Templates of `directory`, laid out like `proxy-configs/`; what it lacks comes from this build.
    pub fn with_directory(directory: &Path) -> Templates {
        Templates { directory: Some(directory.to_owned()) }
    }

    /// Renders the template `name` (`nginx/nginx.conf`) with `values`. Undefined values are errors.
    pub fn render(&self, name: &str, values: Value) -> Result<String, EngineError> {
        let failed = |reason: String| EngineError::Template { template: name.to_owned(), reason };
        let text = self.text(name)?;
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_syntax(
            SyntaxConfig::builder()
                .trim_blocks(true)
                .lstrip_blocks(true)
                .keep_trailing_newline(true)
                .build()
                .map_err(|error| failed(format!("{error:#}")))?,
        );
        environment.add_template(name, &text).map_err(|error| failed(format!("{error:#}")))?;
        let template = environment.get_template(name).map_err(|error| failed(format!("{error:#}")))?;
        template.render(values).map_err(|error| failed(format!("{error:#}")))
    }

    fn text(&self, name: &str) -> Result<String, EngineError> {
        if let Some(directory) = &self.directory {
            let path = directory.join(name);
            if path.is_file() {
                let text = store::read_bounded(&path, LONGEST).and_then(|bytes| {
                    String::from_utf8(bytes)
                        .map_err(|error| std::io::Error::new(ErrorKind::InvalidData, error))
                });
                return text.map_err(EngineError::file(path));
            }
        }
        EMBEDDED.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned()).ok_or_else(
            || EngineError::Template {
                template: name.to_owned(),
                reason: "there is no such template".into(),
            },
        )
    }
}
