//! Makes an image of a program of this system, for where no registry answers: the program, the libraries
//! that its loader looks for, and a shell.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use super::archive::Archive;
use super::container::TEMPORARY;
use super::digest::sha256_hex;
use super::error::DockerError;
use crate::host::executables::SearchPath;

const SHELL: &str = "/bin/sh";
/// The label of every packed image.
pub(super) const PACKED: &str = "rig.image=packed";
/// Where programs are found by their plain name.
const SEARCHED: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
/// Where libraries go that can't stay where they are.
const LIBRARIES: &str = "/usr/lib/packed";
/// `ldd` runs the loader, which takes milliseconds.
const LDD: Duration = Duration::from_secs(10);
/// Little-endian machines of the ELF header, and the engine's names for them.
const MACHINES: [(u16, &str); 5] =
    [(62, "amd64"), (183, "arm64"), (40, "arm"), (243, "riscv64"), (21, "ppc64le")];

/// An image, ready to be imported.
#[derive(Debug)]
pub(super) struct Packed {
    /// Its root file system.
    pub(super) tar: Vec<u8>,
    /// Its configuration, as lines of a Dockerfile.
    pub(super) changes: Vec<String>,
    /// SHA-256 of both, in hex digits.
    pub(super) digest: String,
}

/// Packs `program` for an engine whose machine is `architecture` (`amd64`), so that it is found as `name`.
/// Errors: it isn't a program for that machine, or what it needs can't be told or read.
pub(super) async fn pack(name: &str, program: &Path, architecture: &str) -> Result<Packed, DockerError> {
    let failed = |reason: String| DockerError::Packing { program: program.to_owned(), reason };
    runs_on(program, architecture).map_err(failed)?;

    let mut archive = Archive::default();
    let mut executables = vec![PathBuf::from(SHELL), program.to_owned()];
    executables.extend(modules(name).map_err(failed)?);
    let mut library_directories = BTreeSet::new();
    for executable in &executables {
        let Libraries { paths, own_loader } = libraries(executable).await.map_err(failed)?;
        for library in paths {
            let placed = placed(&library).map_err(failed)?;
            // What brings its loader finds its libraries as well, which others must not meet.
            library_directories.extend(placed.parent().map(Path::to_owned).filter(|_| !own_loader));
            archive.executable(&placed, &library);
        }
        archive.executable(&found_at(executable, program, name), executable);
    }
    archive.text(
        Path::new("/etc/passwd"),
        "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    );
    archive.text(Path::new("/etc/group"), "root:x:0:\nnobody:x:65534:\nnogroup:x:65534:\n");
    archive.directory(Path::new(TEMPORARY), 0o1777);

    let changes = vec![
        format!("ENV PATH={}", SEARCHED.join(":")),
        // This system's loader may know directories that no loader knows by default.
        format!("ENV LD_LIBRARY_PATH=\"{}\"", joined(&library_directories)),
        format!("LABEL {PACKED}"),
    ];
    let tar = tokio::task::spawn_blocking(move || archive.tar().map(|tar| hashed(tar, changes)));
    match tar.await {
        Ok(packed) => packed.map_err(|error| failed(error.to_string())),
        Err(error) => Err(failed(error.to_string())),
    }
}

fn hashed(tar: Vec<u8>, changes: Vec<String>) -> Packed {
    let digest = sha256_hex(changes.iter().map(|line| line.as_bytes()).chain([tar.as_slice()]));
    Packed { tar, changes, digest }
}

/// Whether the kernel of such an engine would execute `program`.
fn runs_on(program: &Path, architecture: &str) -> Result<(), String> {
    let mut head = [0; 20];
    std::fs::File::open(program)
        .and_then(|mut file| file.read_exact(&mut head))
        .map_err(|error| format!("it can't be read: {error}"))?;
    if head[..4] != *b"\x7fELF" {
        return Err("it is no executable for Linux (no ELF file)".to_owned());
    }
    // e_machine, in the byte order that EI_DATA gives: little-endian for all that are known here.
    let machine = u16::from_le_bytes([head[18], head[19]]);
    match MACHINES.iter().find(|(known, _)| *known == machine) {
        Some((_, of)) if *of == architecture => Ok(()),
        Some((_, of)) => Err(format!("it is for {of}, and the engine's machine is {architecture}")),
        None => Err(format!("it is for ELF machine {machine}, and the engine's machine is {architecture}")),
    }
}

/// What `name` may load as it runs: Debian keeps a server's modules in such a directory.
fn modules(name: &str) -> Result<Vec<PathBuf>, String> {
    let directory = Path::new("/usr/lib").join(name).join("modules");
    if !directory.is_dir() {
        return Ok(Vec::new());
    }
    let entries = std::fs::read_dir(&directory)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>())
        .map_err(|error| format!("{}: {error}", directory.display()))?;
    Ok(entries
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "so"))
        .collect())
}

/// The libraries of an executable.
#[derive(Debug, Default, PartialEq, Eq)]
struct Libraries {
    paths: Vec<PathBuf>,
    /// Whether its loader is not the system's, but one of its own beside it.
    own_loader: bool,
}

/// Every library that the loader opens for `executable`, the loader itself included; none if it is static.
async fn libraries(executable: &Path) -> Result<Libraries, String> {
    let ldd =
        SearchPath::here().find("ldd").map_err(|_| "`ldd`, which lists its libraries, is not installed")?;
    let output = tokio::process::Command::new(ldd.path)
        .arg(executable)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(LDD, output)
        .await
        .map_err(|_| format!("`ldd {}` did not end within {} s", executable.display(), LDD.as_secs()))?
        .map_err(|error| format!("`ldd`, which tells what a program needs, can't be run: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (listed, complaint) = (text(&output.stdout), text(&output.stderr));
    let said = format!("{listed}{complaint}");
    // glibc's words, and musl's.
    let is_static = ["not a dynamic executable", "statically linked", "Not a valid dynamic program"];
    if is_static.iter().any(|words| said.contains(words)) {
        return Ok(Libraries::default());
    }
    if !output.status.success() {
        return Err(format!("`ldd {}` failed: {}", executable.display(), said.trim()));
    }
    paths(&listed)
}

/// The paths in what `ldd` prints: `libc.so.6 => /lib/libc.so.6 (0x…)`, or the path alone. What has none
/// (`linux-vdso.so.1`) is part of the kernel. A path before the arrow is a loader of the executable's own.
fn paths(listed: &str) -> Result<Libraries, String> {
    if let Some(missing) = listed.lines().find(|line| line.contains("not found")) {
        return Err(format!("a library is missing on this system: {}", missing.trim()));
    }
    let mut found = Libraries::default();
    for line in listed.lines() {
        let (named, place) = line.split_once(" => ").unwrap_or(("", line));
        let place = place.trim();
        let place = place.rsplit_once(" (0x").map_or(place, |(path, _)| path);
        let own_loader = named.trim().starts_with('/').then(|| named.trim());
        found.own_loader |= own_loader.is_some();
        found
            .paths
            .extend(own_loader.or(Some(place)).filter(|path| path.starts_with('/')).map(PathBuf::from));
    }
    Ok(found)
}

/// Where an executable goes: to its own path, but the program itself to where it is found by its name.
fn found_at(executable: &Path, program: &Path, name: &str) -> PathBuf {
    let is_found = SEARCHED.iter().any(|directory| Path::new(directory).join(name) == program);
    match is_found {
        false if executable == program => Path::new("/usr/bin").join(name),
        _ => executable.to_owned(),
    }
}

/// Where a library goes: to the path that the loader used, unless that leads through `..`, which an archive
/// can't hold, or to where a container sees nothing of its image.
fn placed(library: &Path) -> Result<PathBuf, String> {
    let plain = !library.components().any(|component| component == Component::ParentDir);
    let (Some(parent), Some(name)) = (library.parent(), library.file_name()) else {
        return Err(format!("{} is no file", library.display()));
    };
    let parent = match plain {
        true => parent.to_owned(),
        false => parent.canonicalize().map_err(|error| format!("{}: {error}", parent.display()))?,
    };
    Ok(if parent.starts_with(TEMPORARY) { Path::new(LIBRARIES).join(name) } else { parent.join(name) })
}

fn joined(directories: &BTreeSet<PathBuf>) -> String {
    directories.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::help::with_help;

    /// Go's names, which are the engine's.
    fn this_machine() -> &'static str {
        match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        }
    }

    #[tokio::test]
    async fn an_image_holds_program_shell_and_loader_and_is_the_same_each_time() {
        let program = Path::new("/bin/true");
        let packed = pack("truth", program, this_machine()).await.unwrap();
        let mut tar = tar::Archive::new(packed.tar.as_slice());
        let entries: BTreeMap<_, _> = tar
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.path().unwrap().into_owned(), entry.header().clone()))
            .collect();
        let mode = |path: &str| entries[Path::new(path)].mode().unwrap();
        assert_eq!((mode("bin/sh"), mode("tmp")), (0o755, 0o1777));
        assert!(
            entries.contains_key(Path::new("etc/passwd")) && entries.contains_key(Path::new("etc/group"))
        );
        assert!(entries.keys().any(|path| path.to_string_lossy().contains("/ld-")), "{:?}", entries.keys());
        assert_eq!(mode("usr/bin/truth"), 0o755);

        let again = pack("truth", program, this_machine()).await.unwrap();
        assert_eq!(packed.tar, again.tar);
        assert_eq!(packed.digest, again.digest);
        let other = pack("untruth", program, this_machine()).await.unwrap();
        assert_ne!(packed.digest, other.digest);
    }

    #[tokio::test]
    async fn what_the_engine_cannot_execute_is_refused() {
        let told = with_help(&pack("true", Path::new("/bin/true"), "s390x").await.unwrap_err());
        assert!(
            told.contains("the engine's machine is s390x") && told.contains("docker/README.md"),
            "{told}"
        );
        let directory = tempfile::tempdir().unwrap();
        let script = directory.path().join("nginx");
        std::fs::write(&script, "#!/bin/sh\nexec /opt/nginx \"$@\"\n").unwrap();
        let told = pack("nginx", &script, this_machine()).await.unwrap_err().to_string();
        assert!(told.contains("no executable for Linux"), "{told}");
    }

    #[test]
    fn what_ldd_prints_is_read() {
        let glibc = "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibz.so.1 => /opt/my libs/libz.so.1 (0x00007f)\n\
                     \t/opt/absolute.so (0x00007f)\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        let expected = ["/opt/my libs/libz.so.1", "/opt/absolute.so", "/lib64/ld-linux-x86-64.so.2"];
        let found = paths(glibc).unwrap();
        assert_eq!((found.paths, found.own_loader), (expected.map(PathBuf::from).to_vec(), false));
        let own = "\tlibc.so.6 => /opt/x/libc.so.6 (0x00007f)\n\t/opt/x/ld-linux.so.2 => /lib64/ld-linux.so.2 (0x00007f)\n";
        let found = paths(own).unwrap();
        let expected = ["/opt/x/libc.so.6", "/opt/x/ld-linux.so.2"].map(PathBuf::from).to_vec();
        assert_eq!((found.paths, found.own_loader), (expected, true));
        let told = paths("\tlibssl.so.1.1 => not found\n").unwrap_err();
        assert!(told.contains("libssl.so.1.1 => not found"), "{told}");
    }

    #[test]
    fn a_library_never_lies_on_a_path_that_leads_up() {
        let plain = Path::new("/lib64/ld-linux-x86-64.so.2");
        assert_eq!(placed(plain).unwrap(), plain);
        assert_eq!(placed(Path::new("/usr/../etc/x.so")).unwrap(), Path::new("/etc/x.so"));
    }

    #[test]
    fn nothing_lies_where_a_container_has_its_directory_in_memory() {
        let program = Path::new("/tmp/build/rig");
        assert_eq!(found_at(program, program, "rig"), Path::new("/usr/bin/rig"));
        assert_eq!(found_at(Path::new("/bin/sh"), program, "rig"), Path::new("/bin/sh"));
        assert_eq!(
            found_at(Path::new("/usr/sbin/nginx"), Path::new("/usr/sbin/nginx"), "nginx"),
            Path::new("/usr/sbin/nginx")
        );
        for library in ["/tmp/build/x.so", "/usr/../tmp/x.so"] {
            assert_eq!(placed(Path::new(library)).unwrap(), Path::new("/usr/lib/packed/x.so"));
        }
    }
}
