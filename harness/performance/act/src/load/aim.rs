//! Where load may go: an environment's own addresses, and this machine's loopback. Nowhere else.

use std::net::SocketAddr;

use stagegate_base::container::Container;

/// An address that load may go to. There is no other way to make one than the checked ones here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aim {
    address: SocketAddr,
}

/// Why no load is put on something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AimError {
    /// The service has no running container.
    #[error("service `{service}` has no running container that could take load; `gate up` starts it")]
    NotRunning {
        /// The service.
        service: String,
    },
    /// The container has no address for the port.
    #[error("service `{service}` has no address for port {port}: it is on no network and publishes no such port")]
    NoAddress {
        /// The service.
        service: String,
        /// The port.
        port: u16,
    },
}

impl Aim {
    /// Aims at a service of an environment: the first of its containers that has an address for `port`.
    ///
    /// `containers` are those of the environment's project.
    ///
    /// # Errors
    /// [`AimError`] where nothing of the service runs, or nothing of it can be reached.
    pub fn at_service(containers: &[Container], service: &str, port: u16) -> Result<Self, AimError> {
        let mut of_service = containers.iter().filter(|c| c.service == service && !c.one_off).peekable();
        if of_service.peek().is_none() {
            return Err(AimError::NotRunning { service: service.to_owned() });
        }
        // A container's own address is preferred: the Engine's proxy for published ports would be measured too, and a
        // throw-away copy that is compared publishes none. Off Linux such addresses lie in the Engine's own machine.
        let best =
            |mut all: Vec<SocketAddr>| if cfg!(target_os = "linux") { all.pop() } else { all.into_iter().next() };
        let address = of_service.find_map(|c| best(c.reach(port)));
        let address = address.ok_or_else(|| AimError::NoAddress { service: service.to_owned(), port })?;
        Ok(Aim { address })
    }

    /// Aims at a port of this machine's loopback; `None` where the address is another one.
    #[must_use]
    pub fn at_loopback(address: SocketAddr) -> Option<Self> {
        address.ip().is_loopback().then_some(Aim { address })
    }

    /// Returns the address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
