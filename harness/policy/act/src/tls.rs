//! What a service shows over TLS: its certificate, what a client thinks of it, and one response.
//!
//! The handshake is done to its end whatever the certificate is worth, so that all of it can be reported; nothing but a
//! request for `/` is ever sent over it.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring::default_provider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use stagegate_policy_decide::security::{Response, Trust};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

/// How long one question may take, all of it.
const WITHIN: Duration = Duration::from_secs(5);
/// Most headers of a response that are read.
const HEADERS: usize = 100;
/// How much of an answer is read: its headers are what is asked for.
const HEAD_BYTES: u64 = 64 * 1024;

/// What a service showed.
#[derive(Clone, Debug)]
pub struct PresentedCertificate {
    /// Its certificate, in DER.
    pub certificate: Vec<u8>,
    /// What a client that asks for the name thinks of it.
    pub trust: Trust,
    /// What it responded to `GET /`; `None` where that was no HTTP.
    pub answer: Option<Response>,
}

/// Why nothing was shown.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Nobody listens, or what listens does not speak TLS.
    #[error("{address} does not complete a TLS handshake for `{name}`")]
    Handshake {
        /// The address.
        address: SocketAddr,
        /// The name that was asked for.
        name: String,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// The time was over.
    #[error("{address} did not complete a TLS handshake within {within:?}")]
    TooSlow {
        /// The address.
        address: SocketAddr,
        /// The time.
        within: Duration,
    },
    /// The name cannot be asked for.
    #[error("`{name}` is neither a host name nor an IP address; change it in [security.tls] of stagegate.toml")]
    Name {
        /// The name.
        name: String,
    },
    /// The authorities cannot be read.
    #[error("{} contains no readable certificates (PEM is expected): {reason}", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The TLS library refuses its own settings.
    #[error("cannot create a TLS client")]
    Client(#[from] Error),
}

/// Asks the service at `address` for `name`; `ca` is a PEM file with authorities to trust next to the machine's.
///
/// # Errors
/// [`TlsError`] where there is no handshake; a bad certificate is no error but a fact.
pub async fn fetch(address: SocketAddr, name: &str, ca: Option<&Path>) -> Result<PresentedCertificate, TlsError> {
    let server = ServerName::try_from(name.to_owned()).map_err(|_| TlsError::Name { name: name.to_owned() })?;
    let recorder = Arc::new(Recorder::new(ca)?);
    let config = ClientConfig::builder_with_provider(Arc::clone(&recorder.provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(recorder.clone())
        .with_no_client_auth();
    let requested = async {
        let stream = TcpStream::connect(address).await?;
        let mut stream = TlsConnector::from(Arc::new(config)).connect(server, stream).await?;
        let request = format!("GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut bytes = Vec::new();
        // That a server closes without saying so is common, and what came before it counts.
        let _ = stream.take(HEAD_BYTES).read_to_end(&mut bytes).await;
        Ok(bytes)
    };
    let bytes = match tokio::time::timeout(WITHIN, requested).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(source)) => return Err(TlsError::Handshake { address, name: name.to_owned(), source }),
        Err(_) => return Err(TlsError::TooSlow { address, within: WITHIN }),
    };
    let (certificate, trust) = recorder.taken();
    Ok(PresentedCertificate { certificate, trust, answer: response(&bytes) })
}

/// Reads status and headers of an HTTP/1 response; `None` where its head is not whole or is none.
fn response(bytes: &[u8]) -> Option<Response> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut head = httparse::Response::new(&mut headers);
    let length = match head.parse(bytes).ok()? {
        httparse::Status::Complete(length) => length,
        httparse::Status::Partial => return None,
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let headers = head.headers.iter().map(|header| (header.name.to_owned(), text(header.value))).collect();
    let body = String::from_utf8_lossy(&bytes[length..]).into_owned();
    Some(Response { request: "GET /".to_owned(), status: head.code?, headers, body, encrypted: true })
}

/// Lets every certificate pass, and keeps it with what a careful client thinks of it.
#[derive(Debug)]
struct Recorder {
    provider: Arc<CryptoProvider>,
    /// `None` where no authority is known at all.
    careful: Option<Arc<WebPkiServerVerifier>>,
    seen: Mutex<Option<(Vec<u8>, Trust)>>,
}

impl Recorder {
    fn new(ca: Option<&Path>) -> Result<Self, TlsError> {
        let provider = Arc::new(default_provider());
        let mut roots = RootCertStore::empty();
        // What cannot be read of the machine's own authorities is not trusted, which shows where it is needed.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = ca {
            let unreadable = |reason: String| TlsError::Authorities { path: path.to_path_buf(), reason };
            for certificate in CertificateDer::pem_file_iter(path).map_err(|error| unreadable(error.to_string()))? {
                let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
                roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
            }
        }
        let careful = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().ok();
        Ok(Recorder { provider, careful, seen: Mutex::new(None) })
    }

    fn taken(&self) -> (Vec<u8>, Trust) {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).take();
        seen.unwrap_or_else(|| (Vec::new(), Trust::Refused("the server sent no certificate".to_owned())))
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        stapled: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let judged = self.careful.as_ref().map(|c| c.verify_server_cert(certificate, chain, name, stapled, now));
        let trust = judged.map_or(Trust::UnknownIssuer, |judged| judged.map_or_else(trust, |_| Trust::Trusted));
        let seen = Some((certificate.to_vec(), trust));
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn trust(error: Error) -> Trust {
    let Error::InvalidCertificate(error) = error else { return Trust::Refused(error.to_string()) };
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Trust::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Trust::NotYet,
        CertificateError::NotValidForName => Trust::OtherNames(Vec::new()),
        CertificateError::NotValidForNameContext { presented, .. } => {
            Trust::OtherNames(presented.iter().map(|name| bare(name)).collect())
        }
        CertificateError::UnknownIssuer => Trust::UnknownIssuer,
        other => Trust::Refused(other.to_string()),
    }
}

/// Returns the name in `DnsName("shop.example.org")`, which is how the library reports what a certificate is good for.
fn bare(presented: &str) -> String {
    presented.split('"').nth(1).unwrap_or(presented).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_has_its_status_and_headers() {
        let seen = response(b"HTTP/1.1 301 Moved\r\nServer: nginx\r\nX-A:  b:c \r\n\r\n<html>").unwrap();
        assert_eq!((seen.status, seen.header("x-a"), seen.body.as_str()), (301, Some("b:c"), "<html>"));
        assert_eq!(response(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), None);
    }

    #[test]
    fn a_name_is_reported_as_it_is_written() {
        assert_eq!(bare("DnsName(\"shop.example.org\")"), "shop.example.org");
        assert_eq!(bare("192.0.2.1"), "192.0.2.1");
    }

    #[tokio::test]
    async fn what_speaks_no_tls_is_reported() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let error = fetch(address, "shop.example.org", None).await.unwrap_err();
        assert!(error.to_string().contains("does not complete a TLS handshake for `shop.example.org`"), "{error}");
        let error = fetch(address, "no name", None).await.unwrap_err();
        assert!(matches!(error, TlsError::Name { .. }), "{error}");
    }
}
