//! Where a product lies in its repository: at the top, or in a folder of a larger one that has other products too.
//!
//! A folder of the product (`/srv/live/products/shop`) and the top of its checkout (`/srv/live`) differ by the subfolder
//! (`products/shop`). Paths are compared as they are written; nothing is read.

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The product's folder, relative to the repository's top; empty where the product is the repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Subfolder(PathBuf);

impl Subfolder {
    /// Takes a relative path such as `products/shop/`; what is no plain name in it is left out.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Subfolder(path.components().filter(|part| matches!(part, Component::Normal(_))).collect())
    }

    /// Returns whether the product is the whole repository.
    #[must_use]
    pub fn is_top(&self) -> bool {
        self.0.as_os_str().is_empty()
    }

    /// Returns the path, relative to the repository's top.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Returns the product's folder in the checkout at `top`.
    #[must_use]
    pub fn within(&self, top: &Path) -> PathBuf {
        // Joined with nothing, a path would end with a slash.
        if self.is_top() { top.to_path_buf() } else { top.join(&self.0) }
    }

    /// Returns the top of the checkout that holds the product's `folder`; `None` where that is another folder.
    #[must_use]
    pub fn top_of(&self, folder: &Path) -> Option<PathBuf> {
        let depth = self.0.components().count();
        folder.ends_with(&self.0).then(|| folder.ancestors().nth(depth).map(Path::to_path_buf))?
    }

    /// Returns a path of the product, relative to its folder, as one from the repository's top; `None` where it leaves that.
    #[must_use]
    pub fn from_top(&self, path: &Path) -> Option<PathBuf> {
        clean(&self.0, path)
    }

    /// Returns whether a path, relative to the repository's top, lies in the product's folder.
    #[must_use]
    pub fn holds(&self, path: &Path) -> bool {
        path.starts_with(&self.0)
    }
}

/// Joins a relative path to a folder, without `.` and `..`; `None` where it leads out of the top, or begins at the root.
fn clean(folder: &Path, path: &Path) -> Option<PathBuf> {
    let mut clean = folder.to_path_buf();
    for part in path.components() {
        match part {
            Component::Normal(part) => clean.push(part),
            Component::CurDir => {}
            Component::ParentDir if clean.pop() => {}
            _ => return None,
        }
    }
    Some(clean)
}

/// What of the repository a product in a subfolder reads outside of its folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It cannot be reported: any file.
    Everything,
    /// Files and folders, relative to the repository's top.
    Paths(Vec<PathBuf>),
}

impl Reach {
    /// Reads it out of what a release is made of.
    ///
    /// `model` is what Compose resolved in the checkout at `top`, `texts` are its compose and env files as they are written,
    /// `links` what the product's symbolic links lead to. Of a compose file that includes or extends another one not all is
    /// known; neither is it of a path that a variable is part of.
    #[must_use]
    pub fn of(subfolder: &Subfolder, top: &Path, model: &Value, texts: &[String], links: &[PathBuf]) -> Self {
        let mut paths: Vec<PathBuf> = links.iter().map(|link| inside(top, link)).collect();
        collect(model, &subfolder.within(top), top, &mut paths);
        for line in texts.iter().flat_map(|text| text.lines()) {
            if ["include:", "extends:"].iter().any(|key| line.contains(key)) {
                return Reach::Everything;
            }
            let words = line.split([' ', '\t', '"', '\'', ',', '=', ':', '[', ']', '{', '}']);
            for word in words.filter(|word| word.split('/').any(|part| part == "..")) {
                match subfolder.from_top(Path::new(word)).filter(|_| !word.contains('$')) {
                    Some(path) => paths.push(path),
                    None => return Reach::Everything,
                }
            }
        }
        paths.retain(|path| !subfolder.holds(path));
        // The top itself is a folder that holds all.
        if paths.iter().any(|path| path.as_os_str().is_empty()) { Reach::Everything } else { Reach::Paths(paths) }
    }

    /// Returns whether the product reads a file, relative to the repository's top.
    #[must_use]
    pub fn covers(&self, path: &Path) -> bool {
        match self {
            Reach::Everything => true,
            Reach::Paths(paths) => paths.iter().any(|one| path.starts_with(one)),
        }
    }
}

/// Returns an absolute path as one from the top; the top itself where it lies elsewhere.
fn inside(top: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(top).map(Path::to_path_buf).unwrap_or_default()
}

/// Collects the paths in a model that lie below `top` and not in the product's folder.
fn collect(value: &Value, product: &Path, top: &Path, into: &mut Vec<PathBuf>) {
    match value {
        Value::String(text) => {
            let path = Path::new(text);
            if let Some(path) = path.strip_prefix(top).ok().filter(|_| path.is_absolute() && !path.starts_with(product))
            {
                into.extend(clean(Path::new(""), path));
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, product, top, into)),
        Value::Object(entries) => entries.values().for_each(|entry| collect(entry, product, top, into)),
        _ => {}
    }
}

/// Returns those of git's changes (`git status --porcelain`, one a line) that a product in a subfolder reads: all in its own
/// folder, and outside of it what `reach` covers. A line that names no plain path counts.
#[must_use]
pub fn changes_in_reach(changes: &[String], subfolder: &Subfolder, reach: &Reach) -> Vec<String> {
    let counts = |change: &&String| {
        let Some((_, paths)) = change.trim().split_once(' ') else { return true };
        let mut paths = paths.split(" -> ").map(str::trim);
        paths.any(|path| path.starts_with('"') || subfolder.holds(Path::new(path)) || reach.covers(Path::new(path)))
    };
    changes.iter().filter(counts).cloned().collect()
}

/// Returns the patterns of tags that are a product's own (`shop-v1`, `shop/v1`, `shop@1`, `products/shop/v1`), and those of
/// the other products of the repository, whose folders are `others`; empty where the product is alone.
///
/// A pattern of another product that the own name begins with (`shop-` for `shop-admin`) is the own one's too, so it is left out.
#[must_use]
pub fn tag_patterns(subfolder: &Subfolder, others: &[PathBuf]) -> (Vec<String>, Vec<String>) {
    let own = names(subfolder.path());
    let theirs = others.iter().filter(|other| *other != subfolder.path()).flat_map(|other| names(other));
    let is_shared = |start: &String| own.iter().any(|name| name.starts_with(start.as_str()));
    let theirs: Vec<String> = theirs.filter(|start| !is_shared(start)).map(|start| start + "*").collect();
    (own.into_iter().map(|start| start + "*").collect(), theirs)
}

/// Returns what the tags of the product in a folder begin with.
fn names(folder: &Path) -> Vec<String> {
    let Some(name) = folder.file_name() else { return Vec::new() };
    let (name, whole) = (plain(&name.to_string_lossy()), plain(&folder.to_string_lossy()));
    let mut all: Vec<String> = ["-", "/", "@", "_"].iter().map(|sign| format!("{name}{sign}")).collect();
    if whole != name {
        all.push(format!("{whole}/"));
    }
    all
}

/// Escapes what a pattern gives a meaning.
fn plain(text: &str) -> String {
    text.chars().flat_map(|c| "*?[\\".contains(c).then_some('\\').into_iter().chain([c])).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn shop() -> Subfolder {
        Subfolder::new(Path::new("products/shop/"))
    }

    #[test]
    fn a_folder_of_the_product_and_the_top_of_its_checkout_differ_by_the_subfolder() {
        let live = Path::new("/srv/live");
        assert_eq!(shop().within(live), Path::new("/srv/live/products/shop"));
        assert_eq!(shop().top_of(Path::new("/srv/live/products/shop")).as_deref(), Some(live));
        assert_eq!(shop().top_of(live), None);
        let top = Subfolder::default();
        assert_eq!((top.within(live), top.top_of(live)), (live.to_path_buf(), Some(live.to_path_buf())));
        assert!(!top.within(live).to_string_lossy().ends_with('/'), "texts are compared with it");
    }

    #[rstest]
    #[case::own("contracts/api.yaml", Some("products/shop/contracts/api.yaml"))]
    #[case::shared("../../shared/./api.yaml", Some("shared/api.yaml"))]
    #[case::outside("../../../api.yaml", None)]
    #[case::absolute("/etc/api.yaml", None)]
    fn a_path_of_the_product_is_one_from_the_top(#[case] path: &str, #[case] expected: Option<&str>) {
        assert_eq!(shop().from_top(Path::new(path)).as_deref(), expected.map(Path::new));
    }

    fn reach(model: &Value, text: &str) -> Reach {
        Reach::of(&shop(), Path::new("/repository"), model, &[text.to_owned()], &[])
    }

    #[test]
    fn changes_of_another_product_do_not_count_and_those_that_a_build_context_reads_do() {
        let model = json!({"services": {"web": {"build": {"context": "/repository/products/shop",
            "additional_contexts": {"lib": "/repository/shared"}}}}});
        let changes: Vec<String> =
            ["M products/shop/a", "M products/blog/b", " M shared/lib.js", "R  docs/x -> shared/y", "M \"od\\303d\""]
                .map(str::to_owned)
                .to_vec();
        let counted = changes_in_reach(&changes, &shop(), &reach(&model, "services: {}"));
        assert_eq!(counted, [&changes[0], &changes[2], &changes[3], &changes[4]].map(Clone::clone));
    }

    #[rstest]
    #[case::env_file("    env_file: ../common.env", Reach::Paths(vec!["products/common.env".into()]))]
    #[case::include("include: [base.yml]", Reach::Everything)]
    #[case::extends("    extends: {file: base.yml}", Reach::Everything)]
    #[case::variable("    env_file: ${DIR}/../x", Reach::Everything)]
    #[case::beyond("    env_file: ../../../x", Reach::Everything)]
    #[case::top("    build: ../..", Reach::Everything)]
    #[case::nothing("    image: shop:1..2", Reach::Paths(vec![]))]
    fn what_compose_files_name_outside_of_the_product_counts(#[case] text: &str, #[case] expected: Reach) {
        assert_eq!(reach(&json!({}), text), expected);
    }

    #[test]
    fn tags_of_other_products_are_not_this_one_s() {
        let others = ["products/shop", "products/blog", "products/sh"].map(PathBuf::from);
        let (own, theirs) = tag_patterns(&shop(), &others);
        assert_eq!(own, ["shop-*", "shop/*", "shop@*", "shop_*", "products/shop/*"]);
        assert!(theirs.contains(&"blog-*".to_owned()) && theirs.contains(&"products/blog/*".to_owned()));
        let admin = Subfolder::new(Path::new("shop-admin"));
        let (_, theirs) = tag_patterns(&admin, &["shop".into()]);
        assert_eq!(theirs, ["shop/*", "shop@*", "shop_*"], "shop-* would be its own tags as well");
    }
}
