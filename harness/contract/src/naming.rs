//! Names as documents write them: words of paths, parameters, properties.

/// Returns what one thing of a path's last word is called: `order` of `/v1/orders`.
pub(super) fn singular(path: &str) -> String {
    let before = path.trim_end_matches('/');
    let word = plain(before.rsplit('/').next().unwrap_or_default());
    match word.strip_suffix("ies") {
        Some(stem) => format!("{stem}y"),
        None => word.strip_suffix('s').unwrap_or(&word).to_owned(),
    }
}

/// Returns a name without case, dashes and underscores: `order_id` and `orderId` are one.
pub(super) fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}
