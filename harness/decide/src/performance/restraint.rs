//! How much load an environment may be put under: a protected one gets little unless somebody confirmed.

use super::Load;

/// Most requests a second in a protected environment, where nobody confirmed more.
const PROTECTED_RATE: f64 = 10.0;
/// Most requests at a time there.
const PROTECTED_CLIENTS: u32 = 1;
/// Whether load may be more than a protected environment's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restraint {
    /// A protected environment, and nobody confirmed: 10 requests a second, one at a time.
    Capped,
    /// As the probe says.
    Free,
}

/// Returns the load that is put on, and what to say where it is less than was asked for.
#[must_use]
pub fn restrained(load: Load, restraint: Restraint) -> (Load, Option<String>) {
    let capped = match (restraint, load) {
        (Restraint::Capped, Load::Rate(rate)) if rate > PROTECTED_RATE => Load::Rate(PROTECTED_RATE),
        (Restraint::Capped, Load::Concurrency(clients)) if clients > PROTECTED_CLIENTS => {
            Load::Concurrency(PROTECTED_CLIENTS)
        }
        _ => return (load, None),
    };
    let told = |load| match load {
        Load::Rate(rate) => format!("{rate} requests a second"),
        Load::Concurrency(clients) => format!("{clients} requests at a time"),
    };
    let said = format!("this environment is protected: {} instead of {}, unless confirmed", told(capped), told(load));
    (capped, Some(said))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Load::Rate(50.0), Restraint::Capped, Load::Rate(10.0), true)]
    #[case(Load::Rate(50.0), Restraint::Free, Load::Rate(50.0), false)]
    #[case(Load::Rate(5.0), Restraint::Capped, Load::Rate(5.0), false)]
    #[case(Load::Concurrency(8), Restraint::Capped, Load::Concurrency(1), true)]
    #[case(Load::Concurrency(1), Restraint::Capped, Load::Concurrency(1), false)]
    fn a_protected_environment_gets_little_load_and_is_told_so(
        #[case] asked: Load,
        #[case] restraint: Restraint,
        #[case] given: Load,
        #[case] said: bool,
    ) {
        let (load, told) = restrained(asked, restraint);
        assert_eq!((load, told.is_some()), (given, said), "{told:?}");
    }
}
