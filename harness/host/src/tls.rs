//! TLS to PostgreSQL: taken wherever the server offers it, and verified where the configuration names an authority.

use std::{
    io,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
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
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::{
    config::SslMode,
    tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream},
};
use tokio_rustls::TlsConnector;

/// The name that is sent where none is verified; it only has to be one.
const ANY_NAME: &str = "postgres";

/// Who vouches for a server, and the name that its certificate has to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// A PEM file of certificates: authorities, or the server's own one.
    pub file: PathBuf,
    /// The compose service, by which its clients know the server.
    pub name: String,
}

/// Why no TLS client can be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The authority's file.
    #[error("{} contains no readable certificates (PEM is expected): {reason}", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The name that a certificate would have to have.
    #[error("service `{name}` is no host name, so no certificate can be verified for it")]
    Name {
        /// The service.
        name: String,
    },
    /// The TLS library refuses its own settings.
    #[error("cannot create a TLS client")]
    Client(#[from] Error),
}

/// Encrypts sessions with PostgreSQL.
#[derive(Clone)]
pub struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
    mode: SslMode,
}

impl Tls {
    /// Makes a client that takes TLS where the server offers it (`sslmode=prefer` of libpq), and with an `authority` requires
    /// it and verifies the certificate (`verify-full`).
    ///
    /// # Errors
    /// [`TlsError`] with the authority's file or the name.
    pub fn of(authority: Option<&Authority>) -> Result<Self, TlsError> {
        let provider = Arc::new(default_provider());
        let careful = authority.map(|authority| careful(&authority.file, &provider)).transpose()?;
        let mode = if careful.is_some() { SslMode::Require } else { SslMode::Prefer };
        let verifier = Arc::new(Verifier { provider: Arc::clone(&provider), careful });
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        let name = authority.map_or(ANY_NAME, |authority| &authority.name);
        let name = ServerName::try_from(name.to_owned()).map_err(|_| TlsError::Name { name: name.to_owned() })?;
        Ok(Tls { connector: TlsConnector::from(Arc::new(config)), name, mode })
    }

    /// Returns whether a session without TLS is refused.
    #[must_use]
    pub fn mode(&self) -> SslMode {
        self.mode
    }

    /// Returns the mode in which a session is tried again whose handshake failed; `None` where the error is another one, or TLS
    /// is required.
    // Source: libpq, sslmode=prefer: "first try an SSL connection; if that fails, try a non-SSL connection".
    #[must_use]
    pub fn fallback(&self, error: &tokio_postgres::Error) -> Option<SslMode> {
        let is_handshake = error.to_string().starts_with("error performing TLS handshake");
        (self.mode == SslMode::Prefer && is_handshake).then_some(SslMode::Disable)
    }
}

/// Reads the authorities to trust.
fn careful(file: &Path, provider: &Arc<CryptoProvider>) -> Result<Careful, TlsError> {
    let unreadable = |reason: String| TlsError::Authority { path: file.to_path_buf(), reason };
    let mut roots = RootCertStore::empty();
    let mut own = Vec::new();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| unreadable(error.to_string()))? {
        let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
        // One that is no authority may be the server's own.
        let _ = roots.add(certificate.clone());
        own.push(certificate);
    }
    if own.is_empty() {
        return Err(unreadable("it has none".to_owned()));
    }
    let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build().ok();
    Ok(Careful { file: file.to_path_buf(), own, chain })
}

/// What a certificate is verified by.
#[derive(Debug)]
struct Careful {
    file: PathBuf,
    /// The certificates of the file. One that the server shows itself needs no authority, and no name: only its owner has the key.
    own: Vec<CertificateDer<'static>>,
    chain: Option<Arc<WebPkiServerVerifier>>,
}

#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    /// `None` where any certificate will do: the connection is encrypted, and the server is not verified.
    careful: Option<Careful>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        stapled: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(careful) = self.careful.as_ref().filter(|careful| !careful.own.contains(certificate)) else {
            return Ok(ServerCertVerified::assertion());
        };
        let unknown = || Err(Error::InvalidCertificate(CertificateError::UnknownIssuer));
        let verified = careful.chain.as_ref().map(|c| c.verify_server_cert(certificate, chain, name, stapled, now));
        verified.unwrap_or_else(unknown).map_err(|error| {
            let why = match &error {
                Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::Other(_)) => String::new(),
                error => format!(" ({error})"),
            };
            let (file, name) = (careful.file.display(), name.to_str());
            Error::General(format!(
                "its certificate is neither in {file} nor from an authority in it and valid for `{name}`{why}; correct `ca` of [databases]"
            ))
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self.careful {
            None => Ok(HandshakeSignatureValid::assertion()),
            Some(_) => {
                verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
            }
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self.careful {
            None => Ok(HandshakeSignatureValid::assertion()),
            Some(_) => {
                verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
            }
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> MakeTlsConnect<S> for Tls {
    type Stream = Encrypted<S>;
    type TlsConnect = Tls;
    type Error = io::Error;

    fn make_tls_connect(&mut self, _domain: &str) -> Result<Tls, io::Error> {
        // The address of a container is no name that a certificate has.
        Ok(self.clone())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for Tls {
    type Stream = Encrypted<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Encrypted<S>, io::Error>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move { self.connector.connect(self.name, stream).await.map(Encrypted) })
    }
}

/// A connection over TLS.
#[derive(Debug)]
pub struct Encrypted<S>(tokio_rustls::client::TlsStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Encrypted<S> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Encrypted<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, into)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Encrypted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_and_a_name_that_none_can_have_are_refused_in_words() {
        let file = std::env::temp_dir().join(format!("stagegate-tls-{}", std::process::id()));
        let authority = |name: &str| Authority { file: file.clone(), name: name.to_owned() };
        let text = Tls::of(Some(&authority("db"))).err().unwrap().to_string();
        assert!(text.contains(&file.display().to_string()) && text.contains("PEM is expected"), "{text}");
        std::fs::write(&file, "no certificate\n").unwrap();
        let text = Tls::of(Some(&authority("db"))).err().unwrap().to_string();
        std::fs::remove_file(&file).unwrap();
        assert!(text.ends_with("it has none"), "{text}");
        assert_eq!(Tls::of(None).unwrap().mode(), SslMode::Prefer);
    }
}
