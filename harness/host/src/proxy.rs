//! The Runtime API of the proxy, at a socket in the environment's state folder.

use std::{
    fs::File,
    io,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

/// The socket's name in the folder.
const SOCKET: &str = "api.sock";
/// How long a response may take.
const WITHIN: Duration = Duration::from_secs(5);

/// The proxy does not respond.
#[derive(Debug, thiserror::Error)]
#[error("the proxy does not respond at {}; its log is in the container of `stagegate-proxy` (`gate logs --env E stagegate-proxy`)", path.display())]
pub struct ProxyError {
    /// The socket.
    pub path: PathBuf,
    /// The system's answer.
    #[source]
    pub source: io::Error,
}

/// Makes the folder that the proxy puts its socket into.
///
/// Its container's user is nobody of this host, so that everybody may write there; the folder above, which only its owner
/// may enter, keeps others of this host away.
///
/// # Errors
/// The system's.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    if let Some(state) = folder.parent() {
        crate::files::private_dir(state)?;
    }
    std::fs::create_dir_all(folder)?;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777))
}

/// Sends commands, separated by `;`, and returns the responses to all of them.
///
/// # Errors
/// [`ProxyError`] where nobody responds within 5 s.
pub async fn send(folder: &Path, commands: &str) -> Result<String, ProxyError> {
    let failed = |source| ProxyError { path: folder.join(SOCKET), source };
    match tokio::time::timeout(WITHIN, exchange(folder, commands)).await {
        Ok(response) => response.map_err(failed),
        Err(_) => Err(failed(io::ErrorKind::TimedOut.into())),
    }
}

async fn exchange(folder: &Path, commands: &str) -> io::Result<String> {
    // A socket's path has at most 107 bytes, and a state folder may be deeper: the way leads through an open folder.
    let opened = File::open(folder)?;
    let mut stream = UnixStream::connect(format!("/proc/self/fd/{}/{SOCKET}", opened.as_raw_fd())).await?;
    stream.write_all(format!("{commands}\n").as_bytes()).await?;
    let mut response = String::new();
    stream.read_to_string(&mut response).await?;
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_is_reached_however_deep_its_folder_is() {
        let root = std::env::temp_dir().join(format!("stagegate-proxy-{}", std::process::id()));
        let folder = root.join("a".repeat(120));
        make_folder(&folder).unwrap();
        let error = send(&folder, "show stat").await.unwrap_err().to_string();
        assert!(error.starts_with("the proxy does not respond at ") && error.contains("api.sock"), "{error}");

        // A listener has the same limit, so it is bound at a short path and moved.
        let short = root.join("s");
        let listener = tokio::net::UnixListener::bind(&short).unwrap();
        std::fs::rename(&short, folder.join(SOCKET)).unwrap();
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut command = [0; 10];
            stream.read_exact(&mut command).await.unwrap();
            stream.write_all(b"1\n").await.unwrap();
            command
        };
        let (command, response) = tokio::join!(serve, send(&folder, "show stat"));
        std::fs::remove_dir_all(&root).unwrap();
        assert_eq!((&command, response.unwrap().as_str()), (b"show stat\n", "1\n"));
    }
}
