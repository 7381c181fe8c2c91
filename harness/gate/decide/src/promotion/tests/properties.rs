//! What holds of every journal, whatever was written into it and wherever it was cut.

use proptest::prelude::*;

use super::*;

/// Evidence as steps give it, with numbers that no short text holds.
fn data() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<u64>().prop_map(Value::from),
        (-1e12..1e12).prop_map(|number: f64| Value::from(number)),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| {
        prop::collection::btree_map("[a-z_]{1,6}", inner, 0..4)
            .prop_map(|map| Value::from(map.into_iter().collect::<serde_json::Map<_, _>>()))
    })
}

fn entry() -> impl Strategy<Value = Entry> {
    let step = prop::sample::select(vec![Step::Prepare, Step::BackUp, Step::Freeze, Step::Migrate, Step::Verify]);
    prop_oneof![
        step.clone().prop_map(|step| Entry::Begun { step }),
        (step.clone(), data()).prop_map(|(step, data)| Entry::Done { step, data }),
        (step.clone(), "\\PC{0,20}").prop_map(|(step, reason)| Entry::Failed { step, reason, exit: Exit::Held }),
        (step, "\\PC{0,20}\n").prop_map(|(step, reason)| Entry::UndoFailed { step, reason }),
        "\\PC{0,20}".prop_map(|reason| Entry::Decided { decision: Decision::Rollback, reason }),
    ]
}

/// Writes a journal as the gate does, and returns its lines with where each ends.
fn written(entries: Vec<Entry>) -> (String, Vec<Line>, Vec<usize>) {
    let first = Entry::Started { plan: Box::new(plan(Kind::Promote)) };
    let (mut text, mut lines, mut ends, mut prev) = (String::new(), Vec::new(), Vec::new(), String::new());
    for (seq, entry) in std::iter::once(first).chain(entries).enumerate() {
        let (v, run, boot, wall) = (VERSION, "r".to_owned(), "b".to_owned(), "t".to_owned());
        let line = Line { v, seq: seq as u64, run, boot, wall, entry, prev };
        let (one, hash) = chained(&line).unwrap();
        (text, prev) = (text + &one, hash);
        ends.push(text.len());
        lines.push(line);
    }
    (text, lines, ends)
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok((lines, good)) = read(&bytes) {
            prop_assert!(lines.is_empty() && good == 0);
        }
    }

    #[test]
    fn a_journal_is_read_as_it_was_written_and_goes_on_with_the_same_hash(
        entries in prop::collection::vec(entry(), 0..8),
    ) {
        let (text, lines, _) = written(entries);
        let (found, good) = read(text.as_bytes()).unwrap();
        prop_assert_eq!(&found, &lines);
        prop_assert_eq!(good, text.len());
        // Who takes a run up again hashes the line that it read: it has to be the text that was written.
        let again: String = found.iter().map(|line| chained(line).unwrap().0).collect();
        prop_assert_eq!(again, text);
    }

    #[test]
    fn a_journal_that_is_cut_anywhere_keeps_its_whole_lines(
        entries in prop::collection::vec(entry(), 0..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let (text, lines, ends) = written(entries);
        let cut = cut.index(text.len() + 1);
        let whole = ends.iter().filter(|end| **end <= cut).count();
        let (found, good) = read(&text.as_bytes()[..cut]).unwrap();
        prop_assert_eq!(&found[..], &lines[..whole]);
        prop_assert_eq!(good, if whole == 0 { 0 } else { ends[whole - 1] });
    }

    #[test]
    fn a_byte_that_changed_before_the_last_line_is_found(
        entries in prop::collection::vec(entry(), 1..6),
        at in any::<prop::sample::Index>(),
        bits in 1..=255_u8,
    ) {
        let (text, _, ends) = written(entries);
        let mut bytes = text.into_bytes();
        let at = at.index(ends[ends.len() - 2]);
        bytes[at] ^= bits;
        prop_assert!(read(&bytes).is_err());
    }
}
