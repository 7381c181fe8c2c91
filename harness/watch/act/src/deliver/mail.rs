//! A letter, by SMTP.

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
    },
};
use stagegate_base::{
    config::{Mail, MailTls},
    redact::Secret,
};
use stagegate_host::{error::with_causes, http::install_cryptography};

use super::{DeliverError, WITHIN};

/// Sends a letter; `id` is the same at each try, by which mail programs know a double.
pub(super) async fn send(
    mail: &Mail,
    password: Option<&Secret>,
    (id, subject, text): (&str, &str, &str),
) -> Result<(), DeliverError> {
    let wrong = |error: &(dyn std::error::Error + 'static)| DeliverError::Mail(with_causes(error));
    let mailbox =
        |text: &str| text.parse::<Mailbox>().map_err(|error| DeliverError::Mail(format!("`{text}`: {error}")));
    let mut letter = Message::builder().from(mailbox(&mail.from)?).subject(subject).message_id(Some(id.to_owned()));
    for to in &mail.to {
        letter = letter.to(mailbox(to)?);
    }
    let letter = letter.header(ContentType::TEXT_PLAIN).body(text.to_owned()).map_err(|error| wrong(&error))?;
    install_cryptography();
    let tls = match mail.tls {
        MailTls::None => Tls::None,
        MailTls::Starttls => Tls::Required(parameters(mail)?),
        MailTls::Tls => Tls::Wrapper(parameters(mail)?),
    };
    let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&mail.host)
        .port(mail.port)
        .tls(tls)
        .timeout(Some(WITHIN));
    if let (Some((user, _)), Some(password)) = (&mail.login, password) {
        transport = transport.credentials(Credentials::new(user.clone(), password.expose().to_owned()));
    }
    transport.build().send(letter).await.map_err(|error| wrong(&error))?;
    Ok(())
}

fn parameters(mail: &Mail) -> Result<TlsParameters, DeliverError> {
    let wrong = |error: lettre::transport::smtp::Error| DeliverError::Mail(with_causes(&error));
    let mut builder = TlsParameters::builder(mail.host.clone());
    if let Some(path) = &mail.ca_file {
        let failed = |source| DeliverError::File { path: path.display().to_string(), source };
        let pem = std::fs::read(path).map_err(failed)?;
        builder = builder.add_root_certificate(Certificate::from_pem(&pem).map_err(wrong)?);
    }
    builder.build_rustls().map_err(wrong)
}
