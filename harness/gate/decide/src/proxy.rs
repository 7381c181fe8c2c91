//! The proxy's Runtime API: which commands move requests, and what its responses mean.
//!
//! Requests are moved by its state alone: a new process of the proxy would close every idle connection of its clients.
// Source: HAProxy 2.6 management guide, 9.3: "set server", "show servers state", "show stat".

use std::net::IpAddr;

use crate::canary::Side;

/// A response that is not what the Runtime API gives.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// A table has no such column.
    #[error(
        "the proxy's response to `{command}` has no column `{column}`; `image` of [rollout] must have HAProxy 2.6 or later"
    )]
    NoColumn {
        /// The command.
        command: &'static str,
        /// The column.
        column: &'static str,
    },
    /// A command was refused.
    #[error("the proxy refused a command: {answer}")]
    Refused {
        /// What it reported.
        answer: String,
    },
}

/// A place of a backend that one container takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The backend.
    pub backend: String,
    /// The place.
    pub name: String,
    /// The container's address; `None` where no container has the place.
    pub address: Option<IpAddr>,
    /// Its checks pass.
    pub is_up: bool,
    /// Nobody has taken it out of use.
    pub is_open: bool,
    /// A check has passed since it was put into use: a place that is put into use counts as up before its first check.
    pub is_checked: bool,
}

/// Prints the places of all backends.
pub const SHOW_SLOTS: &str = "show servers state";
/// Prints counters of all backends.
pub const SHOW_COUNTERS: &str = "show stat";

/// `srv_admin_state`: forced maintenance, and forced drain.
const OUT_OF_USE: u32 = 0x01 | 0x08;
/// `srv_op_state` of a server that takes requests.
const RUNNING: u32 = 2;
/// `srv_check_health` counts up from the settings' `rise` with each check that passes.
const RISE: u32 = 2;

/// Reads the response to [`SHOW_SLOTS`].
///
/// # Errors
/// [`ReplyError::NoColumn`].
pub fn slots(response: &str) -> Result<Vec<Slot>, ReplyError> {
    let header = response.lines().find_map(|line| line.strip_prefix("# ")).unwrap_or_default();
    let names: Vec<&str> = header.split_whitespace().collect();
    let column = |column: &'static str| {
        let at = names.iter().position(|name| *name == column);
        at.ok_or(ReplyError::NoColumn { command: SHOW_SLOTS, column })
    };
    let (backend, name, address) = (column("be_name")?, column("srv_name")?, column("srv_addr")?);
    let (state, admin, health) = (column("srv_op_state")?, column("srv_admin_state")?, column("srv_check_health")?);
    let rows =
        response.lines().filter(|line| !line.starts_with('#')).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let slot = |row: Vec<&str>| {
        let number = |at: usize| row[at].parse::<u32>().unwrap_or_default();
        Slot {
            backend: row[backend].to_owned(),
            name: row[name].to_owned(),
            address: row[address].parse().ok(),
            is_up: number(state) == RUNNING,
            is_open: number(admin) & OUT_OF_USE == 0,
            is_checked: number(health) > RISE,
        }
    };
    Ok(rows.filter(|row| row.len() >= names.len()).map(slot).collect())
}

/// Reads the response to [`SHOW_COUNTERS`]: how many connections a slot has that have not ended.
///
/// # Errors
/// [`ReplyError::NoColumn`].
pub fn sessions(response: &str, slots: &[&Slot]) -> Result<u64, ReplyError> {
    let rows = counters(response, slots, ["scur", "qcur"])?;
    Ok(rows.into_iter().flatten().sum())
}

/// Reads the response to [`SHOW_COUNTERS`]: what the containers of some slots did since the proxy was started; the time is the
/// longest mean of theirs.
///
/// # Errors
/// [`ReplyError::NoColumn`].
pub fn side(response: &str, slots: &[&Slot]) -> Result<Side, ReplyError> {
    let statuses = ["hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx", "hrsp_other"];
    let of = |column: &'static str| {
        counters(response, slots, [column]).map(|rows| rows.into_iter().flatten().collect::<Vec<_>>())
    };
    let sum = |column: &'static str| of(column).map(|rows| rows.into_iter().sum::<u64>());
    let ended = statuses.into_iter().map(sum).sum::<Result<u64, _>>()?;
    // Of these no response came, so that no status is counted.
    let lost = sum("econ")? + sum("eresp")?;
    let time_ms = of("rtime")?.into_iter().max().unwrap_or_default();
    Ok(Side { requests: ended + lost, errors: sum("hrsp_5xx")? + lost, time_ms })
}

/// Returns some columns of the rows of slots; what is no number counts as 0.
fn counters<const N: usize>(
    response: &str,
    slots: &[&Slot],
    columns: [&'static str; N],
) -> Result<Vec<[u64; N]>, ReplyError> {
    let names: Vec<&str> = response.lines().next().unwrap_or_default().trim_start_matches("# ").split(',').collect();
    let column = |column: &'static str| {
        let at = names.iter().position(|name| *name == column);
        at.ok_or(ReplyError::NoColumn { command: SHOW_COUNTERS, column })
    };
    let (backend, name) = (column("pxname")?, column("svname")?);
    let wanted = columns.into_iter().map(column).collect::<Result<Vec<usize>, _>>()?;
    let rows = response.lines().skip(1).map(|line| line.split(',').collect::<Vec<&str>>());
    let is_of = |row: &&Vec<&str>, slot: &&&Slot| {
        row.get(backend) == Some(&slot.backend.as_str()) && row.get(name) == Some(&slot.name.as_str())
    };
    let rows: Vec<Vec<&str>> = rows.filter(|row| slots.iter().any(|slot| is_of(&row, &slot))).collect();
    let number = |row: &Vec<&str>, at: usize| row.get(at).and_then(|text| text.parse().ok()).unwrap_or_default();
    Ok(rows.iter().map(|row| std::array::from_fn(|at| number(row, wanted[at]))).collect())
}

/// Verifies that commands of [`reserve`], [`expose`], [`shift`] and [`settle`] did what they say: they answer nothing.
///
/// # Errors
/// [`ReplyError::Refused`].
pub fn accepted(response: &str) -> Result<(), ReplyError> {
    match response.trim() {
        "" => Ok(()),
        response => Err(ReplyError::Refused { answer: response.to_owned() }),
    }
}

fn each<'a>(slots: impl IntoIterator<Item = &'a Slot>, words: &[&str]) -> Vec<String> {
    let of =
        |slot: &Slot| words.iter().map(|word| format!("set server {}/{} {word}", slot.backend, slot.name)).collect();
    slots.into_iter().flat_map::<Vec<String>, _>(of).collect()
}

/// Takes the places that no container has out of use, so that the container that comes gets no request.
#[must_use]
pub fn reserve(slots: &[Slot], backends: &[&str]) -> Option<String> {
    let free = slots.iter().filter(|slot| slot.address.is_none() && backends.contains(&slot.backend.as_str()));
    joined(each(free, &["state maint"]))
}

/// Lets the proxy check the new containers, which get no request yet.
#[must_use]
pub fn expose(new: &[&Slot]) -> Option<String> {
    joined(each(new.iter().copied(), &["weight 0", "state ready"]))
}

/// Lets the slots of `new` have `percent` of the new requests, and those of `old` the rest.
#[must_use]
pub fn weigh(new: &[&Slot], old: &[&Slot], percent: u8) -> Option<String> {
    let weight = |slots: &[&Slot], weight: u8| each(slots.iter().copied(), &[&format!("weight {weight}")]);
    joined(weight(new, percent).into_iter().chain(weight(old, 100 - percent)).collect())
}

/// Lets the slots of `to` have all new requests, and those of `from` finish what they have.
#[must_use]
pub fn shift(to: &[&Slot], from: &[&Slot]) -> Option<String> {
    // In this order: there is always somebody who takes requests.
    let opened = each(to.iter().copied(), &["state ready", "weight 100%"]);
    joined(opened.into_iter().chain(each(from.iter().copied(), &["state drain"])).collect())
}

/// Gives all places of `backends` back to use as after a start of the proxy, once each has at most one container.
#[must_use]
pub fn settle(slots: &[Slot], backends: &[&str]) -> Option<String> {
    let own = slots.iter().filter(|slot| backends.contains(&slot.backend.as_str()));
    joined(each(own, &["weight 100%", "state ready"]))
}

/// Returns whether each of `backends` has exactly one container.
#[must_use]
pub fn is_single(slots: &[Slot], backends: &[&str]) -> bool {
    let taken = |backend: &str| slots.iter().filter(|slot| slot.backend == backend && slot.address.is_some()).count();
    backends.iter().all(|backend| taken(backend) == 1)
}

/// Returns the slots of `backends` that containers with `addresses` have.
#[must_use]
pub fn slots_in_use<'a>(slots: &'a [Slot], backends: &[&str], addresses: &[IpAddr]) -> Vec<&'a Slot> {
    let is_held = |slot: &&Slot| {
        backends.contains(&slot.backend.as_str()) && slot.address.is_some_and(|address| addresses.contains(&address))
    };
    slots.iter().filter(is_held).collect()
}

fn joined(commands: Vec<String>) -> Option<String> {
    (!commands.is_empty()).then(|| commands.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATE: &str = "1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change \
         srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state
3 web-80 1 s1 172.19.0.2 2 8 1 1 24 6 3 4 6 0
3 web-80 2 s2 172.19.0.5 2 0 0 1 0 7 2 2 6 0
5 api-90 1 s1 172.19.0.9 2 0 1 1 3 6 3 4 6 0
5 api-90 2 s2 - 0 32 1 1 4 1 0 0 14 0

";
    const STAT: &str = "# pxname,svname,qcur,qmax,scur,smax,slim
web-80,FRONTEND,,,7,9,2000
web-80,s1,1,0,3,4,
web-80,s2,0,0,0,1,
web-80,BACKEND,0,0,3,4,200

";

    fn state() -> Vec<Slot> {
        slots(STATE).unwrap()
    }

    #[test]
    fn a_slot_is_read_with_its_container_and_whether_it_takes_requests() {
        let found = state();
        assert_eq!(found.len(), 4);
        let drained = Slot {
            backend: "web-80".into(),
            name: "s1".into(),
            address: Some("172.19.0.2".parse().unwrap()),
            is_up: true,
            is_open: false,
            is_checked: true,
        };
        assert_eq!(found[0], drained);
        assert!(found[1].is_up && found[1].is_open && !found[1].is_checked, "no check has passed since it is in use");
        assert_eq!((found[3].address, found[3].is_up, found[3].is_open), (None, false, true));
    }

    #[test]
    fn a_response_of_something_else_is_an_error_with_what_it_lacks() {
        let error = slots("Unknown command").unwrap_err().to_string();
        assert!(
            error.contains("`show servers state` has no column `be_name`") && error.contains("HAProxy 2.6"),
            "{error}"
        );
        assert!(sessions("", &[]).unwrap_err().to_string().contains("`show stat` has no column `pxname`"));
        assert_eq!(accepted("\n\n"), Ok(()));
        assert_eq!(
            accepted("No such server.\n").unwrap_err().to_string(),
            "the proxy refused a command: No such server."
        );
    }

    #[test]
    fn connections_that_have_not_ended_are_counted_of_the_slots_that_are_requested() {
        let found = state();
        assert_eq!(sessions(STAT, &[&found[0]]), Ok(4), "those that wait for the container, too");
        assert_eq!(sessions(STAT, &[&found[1]]), Ok(0));
        assert_eq!(sessions(STAT, &[&found[2]]), Ok(0), "another backend");
    }

    #[test]
    fn what_a_container_did_is_counted_with_the_requests_that_got_no_response() {
        let head = "# pxname,svname,econ,eresp,hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,hrsp_other,rtime";
        let stat = format!(
            "{head}\nweb-80,s1,1,2,0,90,5,4,3,0,41\nweb-80,s2,0,0,0,10,0,0,0,0,7\napi-90,s1,9,9,9,9,9,9,9,9,9\n"
        );
        let found = state();
        assert_eq!(side(&stat, &[&found[0]]), Ok(Side { requests: 105, errors: 6, time_ms: 41 }));
        assert_eq!(side(&stat, &[&found[1]]), Ok(Side { requests: 10, errors: 0, time_ms: 7 }));
        assert!(side(STAT, &[&found[0]]).unwrap_err().to_string().contains("no column `hrsp_1xx`"));
    }

    #[test]
    fn a_share_of_the_requests_is_a_weight_of_both() {
        let found = state();
        let commands = weigh(&[&found[1]], &[&found[0]], 5).unwrap();
        assert_eq!(commands, "set server web-80/s2 weight 5; set server web-80/s1 weight 95");
    }

    #[test]
    fn only_places_without_a_container_are_reserved() {
        assert_eq!(reserve(&state(), &["web-80", "api-90"]).unwrap(), "set server api-90/s2 state maint");
        assert_eq!(reserve(&state(), &["web-80"]), None);
    }

    #[test]
    fn the_next_container_takes_requests_before_the_earlier_one_stops_to() {
        let found = state();
        let (new, old) = (slots_in_use(&found, &["web-80"], &["172.19.0.5".parse().unwrap()]), vec![&found[0]]);
        assert_eq!(expose(&new).unwrap(), "set server web-80/s2 weight 0; set server web-80/s2 state ready");
        assert_eq!(
            shift(&new, &old).unwrap(),
            "set server web-80/s2 state ready; set server web-80/s2 weight 100%; set server web-80/s1 state drain"
        );
        assert_eq!(shift(&[], &[]), None);
    }

    #[test]
    fn a_backend_is_settled_once_it_has_one_container() {
        let found = state();
        assert!(!is_single(&found, &["web-80"]) && is_single(&found, &["api-90"]) && is_single(&found, &[]));
        assert_eq!(
            settle(&found, &["api-90"]).unwrap(),
            "set server api-90/s1 weight 100%; set server api-90/s1 state ready; set server api-90/s2 weight 100%; \
             set server api-90/s2 state ready"
        );
    }
}
