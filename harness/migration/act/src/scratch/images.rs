//! Which images a scratch server of a major may be made of.

use std::path::Path;

/// The file in which `scripts/setup.sh` writes down the images that it provided.
const PROVIDED: &str = ".stagegate/images.env";
/// What is taken where nobody states a major.
const NEWEST: [u32; 3] = [18, 17, 15];

/// Returns the images for a major, or for any: those that a variable or `.stagegate/images.env` of `root` or above
/// names, then the official ones.
#[must_use]
pub fn images(root: &Path, major: Option<u32>) -> Vec<String> {
    let majors: Vec<u32> = major.map_or_else(|| NEWEST.to_vec(), |major| vec![major]);
    let root = std::fs::canonicalize(root).unwrap_or_else(|_| root.to_path_buf());
    let provided =
        root.ancestors().find_map(|dir| std::fs::read_to_string(dir.join(PROVIDED)).ok()).unwrap_or_default();
    let named = |key: &str| {
        let line = provided.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=').map(str::to_owned));
        std::env::var(key).ok().or(line).filter(|image| !image.is_empty())
    };
    let any = if major.is_none() { named("POSTGRES_IMAGE") } else { None };
    let of_majors = majors.iter().filter_map(|major| named(&format!("POSTGRES_{major}_IMAGE")));
    let official = majors.iter().flat_map(|major| [format!("postgres:{major}"), format!("stagegate/postgres:{major}")]);
    any.into_iter().chain(of_majors).chain(official).collect()
}
