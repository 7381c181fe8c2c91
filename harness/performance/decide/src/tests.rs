use super::{statistics::Random, *};
use rstest::rstest;
use stagegate_base::exit::Exit;

/// One line a rotation: medians and 95th percentiles, in microseconds, of each arm's block, as they were recorded on a
/// busy host with two cores. Arms: control, control again, the same, +5 %, +10 %, +20 % of work. A round begins at `#`.
const RECORDED: &str = include_str!("recorded.txt");

fn block(arm: Arm, rotation: usize, p50_us: f64, p95_us: f64) -> Block {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "microseconds of a test")]
    let ns = |us: f64| (us * 1e3) as u64;
    let (p50, p95) = (ns(p50_us), ns(p95_us));
    Block {
        arm,
        rotation: u32::try_from(rotation).unwrap(),
        intended_us: 0,
        started_us: 0,
        took_us: 30 * p50 / 1_000,
        sent: 30,
        latencies: Latencies { count: 30, min: p50, p50, p90: p95, p95, p99: p95, p999: p95, max: p95, mean: p50 },
        samples_ns: Vec::new(),
        errors: std::collections::BTreeMap::new(),
        timeouts: 0,
        bytes: 480,
        smallest: 16,
        largest: 16,
        intended_rate: None,
        achieved_rate: 1_000.0,
        lag_us: 0,
    }
}

/// Makes rotations of noise: each block's median varies by up to `noise`, the candidate's is `slower` times as long.
fn made(rotations: usize, noise: f64, slower: f64, tail: f64) -> Vec<Block> {
    let mut random = Random::seeded(42);
    let mut varied = |us: f64| us * (1.0 + noise * (random.below(2_001) as f64 / 1_000.0 - 1.0));
    let rotation = |rotation| {
        [(Arm::Candidate, slower), (Arm::Control, 1.0), (Arm::ControlAgain, 1.0)].map(|(arm, times)| {
            let (p50, p95) = (varied(300.0 * times), varied(400.0 * times));
            block(arm, rotation, p50, if arm == Arm::Candidate { p95 * tail } else { p95 })
        })
    };
    (0..rotations).flat_map(rotation).collect()
}

/// Gives rotation after rotation to the comparison, as a measurement does, until it is decided.
fn decided(blocks: &[Block], rules: &Rules) -> Comparison {
    let rotations = blocks.len() / 3;
    let mut wanted = 0;
    loop {
        match next(&blocks[..3 * wanted], rules, wanted == rotations) {
            Next::Decided(comparison) => return comparison,
            Next::Measure(more) => {
                assert!(more > wanted, "it must ask for more than it has");
                wanted = more.min(rotations);
            }
        }
    }
}

#[rstest]
#[case::same(0.05, 1.0, 1.0, Judgement::NoSlower)]
#[case::quicker(0.05, 0.8, 1.0, Judgement::NoSlower)]
#[case::slower(0.05, 1.1, 1.0, Judgement::Slower)]
#[case::much(0.2, 1.3, 1.0, Judgement::Slower)]
#[case::tail(0.05, 1.0, 1.5, Judgement::SlowerTail)]
#[case::hidden(0.9, 1.05, 1.0, Judgement::Undecided)]
fn a_difference_is_found_and_noise_is_none(
    #[case] noise: f64,
    #[case] slower: f64,
    #[case] tail: f64,
    #[case] want: Judgement,
) {
    let comparison = decided(&made(150, noise, slower, tail), &Rules::usual(0.02, 1));
    assert_eq!(comparison.judgement, want, "{comparison:?}");
}

#[test]
fn a_slowdown_is_only_reported_when_a_second_round_has_it_too() {
    let slow = made(24, 0.02, 1.2, 1.0);
    let mut blocks = slow.clone();
    let sound = made(126, 0.02, 1.0, 1.0);
    blocks.extend(sound.into_iter().map(|block| Block { rotation: block.rotation + 24, ..block }));
    assert!(matches!(next(&slow, &Rules::usual(0.02, 1), false), Next::Measure(48)));
    let comparison = decided(&blocks, &Rules::usual(0.02, 1));
    assert_eq!(comparison.judgement, Judgement::NoSlower, "{comparison:?}");
}

#[test]
fn a_control_that_differs_from_itself_gives_no_verdict() {
    let mut blocks = made(150, 0.02, 1.2, 1.0);
    for block in blocks.iter_mut().filter(|block| block.arm == Arm::ControlAgain) {
        block.latencies.p50 = block.latencies.p50 * 11 / 10;
    }
    assert_eq!(decided(&blocks, &Rules::usual(0.02, 1)).judgement, Judgement::TooNoisy);
}

#[rstest]
#[case::none(0)]
#[case::few(23)]
fn too_few_rotations_are_never_a_pass(#[case] rotations: usize) {
    let blocks = made(rotations, 0.02, 1.0, 1.0);
    let Next::Decided(comparison) = next(&blocks, &Rules::usual(0.02, 1), true) else { panic!("it goes on") };
    assert_eq!(comparison.judgement, Judgement::NoSamples);
    assert_eq!(comparison.rotations, rotations);
}

#[test]
fn the_same_blocks_give_the_same_response() {
    let blocks = made(150, 0.1, 1.06, 1.0);
    assert_eq!(decided(&blocks, &Rules::usual(0.02, 1)), decided(&blocks, &Rules::usual(0.02, 1)));
}

#[test]
fn many_probes_request_more_evidence_of_each() {
    let blocks = made(150, 0.3, 1.15, 1.0);
    let rotations = |probes| decided(&blocks, &Rules::usual(0.02, probes)).rotations;
    assert!(rotations(50) >= rotations(1));
}

#[test]
fn what_was_found_before_leaves_more_of_the_chance_of_error() {
    let blocks = made(150, 0.3, 1.15, 1.0);
    let rotations = |found| decided(&blocks, &Rules { found, ..Rules::usual(0.02, 50) }).rotations;
    assert!(rotations(49) < rotations(0), "{} {}", rotations(49), rotations(0));
    assert_eq!(rotations(49), decided(&blocks, &Rules::usual(0.02, 1)).rotations);
}

/// Reads the recorded rounds as blocks of `candidate` against the control.
fn recorded(candidate: usize) -> Vec<Vec<Block>> {
    let rounds = RECORDED.split('#').map(str::trim).filter(|round| !round.is_empty());
    rounds
        .map(|round| {
            let line = |(rotation, line): (usize, &str)| {
                let us: Vec<f64> = line.split(' ').map(|word| word.parse().unwrap()).collect();
                [(Arm::Candidate, candidate), (Arm::Control, 0), (Arm::ControlAgain, 1)]
                    .map(|(arm, place)| block(arm, rotation, us[2 * place], us[2 * place + 1]))
            };
            round.lines().enumerate().flat_map(line).collect()
        })
        .collect()
}

#[rstest]
#[case::same(2, 0, 0, 0)]
#[case::ten(4, 0, 18, 20)]
#[case::twenty(5, 0, 20, 20)]
#[case::same_by_the_usual_rules(2, Rules::usual(0.02, 1).floor_ns, 0, 0)]
#[case::twenty_by_the_usual_rules(5, Rules::usual(0.02, 1).floor_ns, 20, 20)]
fn on_recorded_rounds_false_alarms_are_rare_and_slowdowns_are_found(
    #[case] candidate: usize,
    #[case] floor_ns: u64,
    #[case] least: usize,
    #[case] most: usize,
) {
    let rounds = recorded(candidate);
    assert_eq!(rounds.len(), 20, "the recording was not understood");
    let is_slower = |round: &&Vec<Block>| {
        let rules = Rules { resamples: 400, floor_ns, ..Rules::usual(0.02, 1) };
        let judgement = decided(round, &rules).judgement;
        matches!(judgement, Judgement::Slower | Judgement::SlowerTail)
    };
    let slower = rounds.iter().filter(is_slower).count();
    assert!((least..=most).contains(&slower), "{slower} of {} called slower", rounds.len());
}

#[rstest]
#[case::same(2, 0, 0)]
#[case::ten(4, 18, 20)]
#[case::twenty(5, 20, 20)]
fn recorded_copies_confirm_what_one_of_them_showed(
    #[case] candidate: usize,
    #[case] least: usize,
    #[case] most: usize,
) {
    let rounds = recorded(candidate);
    // The servers of each round were started anew: three rounds are three pairs of copies.
    let is_slower = |first: &usize| {
        let mut pairs = Vec::new();
        for round in rounds.iter().cycle().skip(*first).take(PAIRS) {
            let rules = Rules { resamples: 400, floor_ns: 0, ..Rules::of_pair(0.02, 1, 0) };
            pairs.push(decided(round, &rules));
            if let Some(comparison) = over_copies(&pairs) {
                return comparison.judgement == Judgement::Slower;
            }
        }
        panic!("{PAIRS} pairs of copies are not the end")
    };
    let slower = (0..rounds.len()).filter(is_slower).count();
    assert!((least..=most).contains(&slower), "{slower} of {} called slower", rounds.len());
}

#[test]
fn other_copies_are_the_second_look_where_there_are_any() {
    let slow = made(24, 0.02, 1.2, 1.0);
    let Next::Decided(comparison) = next(&slow, &Rules::of_pair(0.02, 1, 0), false) else { panic!("it goes on") };
    assert_eq!((comparison.judgement, comparison.rotations), (Judgement::Slower, 24));
}

/// The same blocks as those of a day on which the whole host was `busier`, measured as a baseline is.
fn stored(blocks: &[Block], busier: f64) -> Vec<Block> {
    let arm = |arm| match arm {
        Arm::Control => Arm::Reference,
        other => other,
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a test")]
    let times = |ns: u64| (ns as f64 * busier) as u64;
    let of = |block: &Block| {
        let mut block = Block { arm: arm(block.arm), ..block.clone() };
        (block.latencies.p50, block.latencies.p95) = (times(block.latencies.p50), times(block.latencies.p95));
        block
    };
    blocks.iter().map(of).collect()
}

#[rstest]
#[case::busier(1.0, 1.4, Judgement::NoSlower)]
#[case::calmer(1.0, 0.7, Judgement::NoSlower)]
#[case::slower(1.15, 1.0, Judgement::Slower)]
#[case::both(1.15, 0.6, Judgement::Slower)]
fn a_stored_baseline_is_judged_by_its_reference(#[case] slower: f64, #[case] busier: f64, #[case] want: Judgement) {
    let then = stored(&made(100, 0.05, 1.0, 1.0), 1.0);
    let mut today = made(150, 0.05, 1.0, 1.0);
    for block in today.iter_mut().filter(|block| block.arm != Arm::Control) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a test"
        )]
        let times = |ns: u64| (ns as f64 * slower) as u64;
        (block.latencies.p50, block.latencies.p95) = (times(block.latencies.p50), times(block.latencies.p95));
    }
    let now = stored(&today, busier);
    let rules = Rules::usual(0.02, 1);
    let judged =
        (1..=150).find_map(|rotations| match next_stored(&now[..3 * rotations], &then, &rules, rotations == 150) {
            Next::Decided(comparison) => Some(comparison.judgement),
            Next::Measure(_) => None,
        });
    assert_eq!(judged, Some(want));
    let Next::Decided(nothing) = next_stored(&now, &[], &rules, true) else { panic!("it goes on") };
    assert_eq!(nothing.judgement, Judgement::NoSamples);
}

fn compared(judgement: Judgement) -> Compared {
    let ratio = |low, high| Some(Ratio { estimate: f64::midpoint(low, high), low, high });
    Compared {
        probe: "orders".to_owned(),
        control: "v1".to_owned(),
        minimum_effect: 0.02,
        seconds: 60.2,
        comparison: Some(Comparison {
            judgement,
            p50: if judgement == Judgement::Undecided { ratio(0.97, 1.061) } else { ratio(1.08, 1.141) },
            p95: ratio(1.3, 1.5),
            noise: ratio(1.03, 1.05),
            p: None,
            rotations: 12,
            least: 0.02,
            least_of_copies: false,
            copies: 1,
        }),
        unfit: None,
        costs: None,
        grown: Vec::new(),
        notes: Vec::new(),
    }
}

#[rstest]
#[case(Judgement::NoSlower, Exit::Passed, "no slower than 2 %")]
#[case(Judgement::Slower, Exit::Held, "slower by 8-14 %")]
#[case(Judgement::SlowerTail, Exit::Held, "its slowest twentieth is slower by 30-50 %")]
#[case(Judgement::Undecided, Exit::Inconclusive, "undecided after 60 s: between -3.0 to +6.1 %")]
#[case(
    Judgement::TooNoisy,
    Exit::Inconclusive,
    "host too noisy: the same release differed from itself by 3-5 %; measure again when the host is less busy"
)]
#[case(
    Judgement::CopiesDiffer,
    Exit::Inconclusive,
    "host too noisy: 1 pair of copies differ too much from each other (8-14 %); measure again when the host is less busy"
)]
#[case(
    Judgement::NoSamples,
    Exit::Inconclusive,
    "no verdict: 12 rotations of the arms, too few; raise `compare_within`"
)]
fn a_judgement_has_words_and_an_end(#[case] judgement: Judgement, #[case] exit: Exit, #[case] words: &str) {
    let compared = compared(judgement);
    assert_eq!((compared.exit(), compared.words().as_str()), (exit, words));
}

#[test]
fn a_release_that_is_as_quick_and_costs_more_is_held() {
    let grown = Grown {
        what: cost::CostKind::Queries,
        control: 2.0,
        candidate: 12.0,
        most: 2.5,
        statement: Some("SELECT 1".to_owned()),
    };
    let compared = Compared { grown: vec![grown], ..compared(Judgement::NoSlower) };
    assert_eq!(compared.exit(), Exit::Held);
    assert_eq!(
        compared.words(),
        "no slower than 2 %; SQL statements per request grew from 2.0 to 12.0 (at most 2.5), most of it by `SELECT 1`"
    );
}

#[test]
fn one_probe_that_is_slower_holds_all_and_none_is_no_pass() {
    let (sound, slow, open) =
        (compared(Judgement::NoSlower), compared(Judgement::Slower), compared(Judgement::Undecided));
    assert_eq!(exit(std::slice::from_ref(&sound)), Exit::Passed);
    assert_eq!(exit(&[sound.clone(), open.clone()]), Exit::Inconclusive);
    assert_eq!(exit(&[open, slow, sound]), Exit::Held);
    assert_eq!(exit(&[]), Exit::Inconclusive);
}

fn failing(blocks: &mut [Block], arms: &[Arm], failed: u64) {
    for block in blocks.iter_mut().filter(|block| arms.contains(&block.arm)) {
        block.errors = [("status 503".to_owned(), failed)].into();
        block.latencies.count = 30 - failed;
    }
}

#[test]
fn a_candidate_that_fails_more_often_is_held_whatever_its_speed() {
    let mut blocks = made(24, 0.05, 0.5, 1.0);
    assert_eq!(unsuitable(&blocks), None);
    failing(&mut blocks, &[Arm::Candidate], 1);
    let found = unsuitable(&blocks);
    assert!(
        matches!(&found, Some(Unsuitable::MoreFailures { candidate, .. }) if candidate.contains("status 503")),
        "{found:?}"
    );
    let compared = Compared { comparison: None, unfit: found, ..compared(Judgement::NoSlower) };
    assert_eq!(compared.exit(), Exit::Held);
}

#[test]
fn where_both_respond_with_errors_alone_there_is_nothing_to_compare_with() {
    let mut blocks = made(24, 0.05, 1.0, 1.0);
    failing(&mut blocks, &[Arm::Candidate, Arm::Control, Arm::ControlAgain], 30);
    assert!(matches!(unsuitable(&blocks), Some(Unsuitable::NoControl { .. })));
}

/// Blocks as a baseline has them: of one release, twice, and of the reference.
fn of_a_baseline() -> Vec<Block> {
    let mut blocks = made(24, 0.05, 1.0, 1.0);
    blocks.iter_mut().filter(|block| block.arm == Arm::Control).for_each(|block| block.arm = Arm::Reference);
    blocks
}

#[test]
fn an_endpoint_that_is_down_today_is_held_against_its_baseline() {
    let (mut now, then) = (of_a_baseline(), of_a_baseline());
    assert_eq!(unsuitable_stored(&now, &then), None);
    failing(&mut now, &[Arm::Candidate, Arm::ControlAgain], 30);
    let down = unsuitable_stored(&now, &then);
    assert!(
        matches!(&down, Some(Unsuitable::MoreFailures { candidate, .. }) if candidate.contains("status 503")),
        "{down:?}"
    );
    let compared = Compared { comparison: None, unfit: down, ..compared(Judgement::NoSlower) };
    assert_eq!(compared.exit(), Exit::Held);
}

#[test]
fn a_probe_that_the_baseline_does_not_have_is_reported_so() {
    let unfit = unsuitable_stored(&of_a_baseline(), &[]);
    assert_eq!(unfit, Some(Unsuitable::NotInBaseline));
    let compared = Compared { comparison: None, unfit, ..compared(Judgement::NoSlower) };
    assert_eq!(compared.exit(), Exit::Inconclusive);
    assert!(compared.words().contains("the baseline has no such probe"), "{}", compared.words());
}

#[test]
fn responses_of_another_size_than_in_the_baseline_are_reported() {
    let (mut now, then) = (of_a_baseline(), of_a_baseline());
    assert_eq!(changed_size_stored(&now, &then), None);
    now.iter_mut().for_each(|block| (block.smallest, block.largest) = (900, 900));
    assert_eq!(changed_size_stored(&now, &then).unwrap(), "its responses have 900 bytes, the control's 16");
}

#[test]
fn what_is_quicker_than_the_clock_is_not_compared() {
    let mut blocks = made(24, 0.05, 1.0, 1.0);
    blocks.iter_mut().for_each(|block| block.latencies.p50 = 900);
    assert_eq!(unsuitable(&blocks), Some(Unsuitable::FasterThanTheClock { p50_ns: 900 }));
}

#[test]
fn responses_of_another_size_are_reported() {
    let mut blocks = made(24, 0.05, 1.0, 1.0);
    assert_eq!(changed_size(&blocks), None);
    blocks.iter_mut().filter(|b| b.arm == Arm::Candidate).for_each(|b| (b.smallest, b.largest) = (18, 20));
    assert_eq!(changed_size(&blocks).unwrap(), "its responses have 18-20 bytes, the control's 16");
}
