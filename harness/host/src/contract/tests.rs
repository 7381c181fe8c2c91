use std::{os::unix::fs::symlink, process::Command};

use rstest::rstest;
use stagegate_contract::diff::Contract;

use super::*;

/// A folder `release` with a contract of several files, and a folder next to it.
struct Folders(PathBuf);

impl Folders {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("stagegate-contract-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        let folders = Folders(root);
        folders.write("release/api/openapi.yaml", &document("schemas/pet.yaml"));
        folders.write("release/api/schemas/pet.yaml", "properties: {id: {$ref: '../../common/id.yaml'}}\n");
        folders.write("release/common/id.yaml", "type: integer\n");
        folders.write("outside.yaml", "type: string\n");
        folders
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn refer(&self, reference: &str) {
        self.write("release/api/openapi.yaml", &document(reference));
    }

    fn release(&self) -> PathBuf {
        self.0.join("release")
    }

    fn commit(&self) {
        let identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
        for args in [&["init", "--quiet"][..], &["add", "--all"], &["commit", "--quiet", "--message", "one"]] {
            let run = Command::new("git").arg("-C").arg(self.release()).args(identity).args(args).output().unwrap();
            assert!(run.status.success(), "{run:?}");
        }
    }

    /// Reads it from the folder and from the commit; both have to be the same.
    async fn read(&self) -> Result<Files, String> {
        let path = Path::new("api/openapi.yaml");
        self.commit();
        let in_folder = read_in(&self.release(), path).map_err(|error| error.to_string())?;
        let at_commit =
            read_at(&Runner::default(), (&self.release(), &Subfolder::default()), "HEAD", path).await.unwrap();
        let reported = [&in_folder, &at_commit].map(|files| match Contract::of(files) {
            Ok(_) => String::new(),
            // A folder states that a file does not exist, a commit that it does not have it.
            Err(error) => error.to_string().replace("does not exist", "is not in the commit HEAD"),
        });
        assert_eq!(reported[0], reported[1]);
        if reported[0].is_empty() { Ok(in_folder) } else { Err(reported[0].clone()) }
    }
}

impl Drop for Folders {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn document(reference: &str) -> String {
    format!("openapi: 3.1.0\npaths: {{}}\ncomponents:\n  schemas:\n    Pet: {{$ref: '{reference}'}}\n")
}

#[tokio::test]
async fn the_files_of_a_contract_are_read_in_a_folder_and_in_a_commit() {
    let folders = Folders::new("read");
    assert_eq!(folders.read().await.map(|_| ()), Ok(()));
    // A link that stays in the release is followed.
    fs::remove_file(folders.release().join("common/id.yaml")).unwrap();
    folders.write("release/common/number.yaml", "type: number\n");
    symlink("number.yaml", folders.release().join("common/id.yaml")).unwrap();
    assert_eq!(folders.read().await.map(|_| ()), Ok(()));
}

#[rstest]
#[case::missing("none.yaml", "api/openapi.yaml:5: `none.yaml` is not in the commit HEAD; add the file")]
#[case::a_folder("schemas", "`schemas` is a folder")]
#[case::above("../../outside.yaml", "`../../outside.yaml` leads out of the release")]
#[case::a_link_out("linked.yaml", "`linked.yaml` is reached by a symbolic link that leads out of the release")]
#[case::a_linked_folder("linked/outside.yaml", "is reached by a symbolic link that leads out of the release")]
#[case::no_text("binary.yaml", "`binary.yaml` cannot be used: it is UTF-16, and UTF-8 is expected")]
#[tokio::test]
async fn what_cannot_be_read_is_reported_with_its_reference(#[case] reference: &str, #[case] why: &str) {
    let folders = Folders::new(&reference.replace('/', "-"));
    symlink("../../outside.yaml", folders.release().join("api/linked.yaml")).unwrap();
    symlink("../..", folders.release().join("api/linked")).unwrap();
    fs::write(folders.release().join("api/binary.yaml"), [0xff, 0xfe, b'\n', b'x']).unwrap();
    folders.refer(reference);
    let error = folders.read().await.unwrap_err();
    assert!(error.contains(why), "{error}");
}

#[tokio::test]
async fn a_contract_of_many_megabytes_is_read_whole_from_a_commit() {
    let folders = Folders::new("large");
    let text = format!("openapi: 3.1.0\npaths: {{}}\nx-text: \"{}\"\n", "x".repeat(20 << 20));
    folders.write("release/api/openapi.yaml", &text);
    assert_eq!(folders.read().await.unwrap().text().len(), text.len());
}

#[tokio::test]
async fn what_the_commit_lacks_is_reported() {
    let folders = Folders::new("lacks");
    folders.commit();
    for (revision, path) in [("HEAD", "none.yaml"), ("nobody", "api/openapi.yaml")] {
        let error = read_at(&Runner::default(), (&folders.release(), &Subfolder::default()), revision, Path::new(path))
            .await
            .unwrap_err();
        assert!(matches!(error, ContractSourceError::NotThere { .. }), "{error}");
    }
    let error = read_at(&Runner::default(), (&folders.release(), &Subfolder::default()), "HEAD", Path::new("api"))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "`HEAD:api` is a folder");
}

#[test]
fn a_file_on_its_own_is_read_with_the_working_copy_around_it() {
    let folders = Folders::new("around");
    folders.commit();
    let release = folders.release().canonicalize().unwrap();
    assert_eq!(release_of(&folders.0.join("release/api/openapi.yaml")), (release, "api/openapi.yaml".to_owned()));
    let alone = folders.0.canonicalize().unwrap();
    assert_eq!(release_of(&folders.0.join("outside.yaml")), (alone, "outside.yaml".to_owned()));
}
